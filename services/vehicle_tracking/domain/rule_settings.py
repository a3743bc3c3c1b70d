"""The numbers that rules judge by; settings.py says what each means and bounds it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class RuleSettings:
    """Fields of the same names as in TrackingSettings."""

    night_start_minute: int
    night_end_minute: int
    night_factor: float
    overspeed_duration_s: int
    overspeed_merge_gap_s: int
    speed_kmh_max_coach: int
    speed_kmh_max_hazmat: int
    speed_kmh_max_bus: int
    speed_kmh_max_taxi: int
    speed_kmh_max_freight: int
    speed_kmh_max_other: int
    cross_gap_s: int
    offline_moving_s: int
    offline_standing_s: int
    moving_kmh: float
    displacement_gap_s: int
    displacement_km: float
    displacement_kmh_max: float
    late_s: int
    future_s: int
