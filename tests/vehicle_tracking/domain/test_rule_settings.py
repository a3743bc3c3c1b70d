"""The numbers that rules judge by are those that the settings say."""

from __future__ import annotations

from dataclasses import asdict

from services.vehicle_tracking.adapters.rules import rule_settings
from services.vehicle_tracking.domain.rule_settings import RuleSettings
from services.vehicle_tracking.settings import TrackingSettings


def test_each_is_a_setting_of_the_same_name() -> None:
    settings = TrackingSettings(night_factor=0.7, late_s=77, speed_kmh_max_bus=55)
    taken: RuleSettings = rule_settings(settings)
    assert {name: value for name, value in asdict(taken).items() if getattr(settings, name) != value} == {}
    assert (taken.night_factor, taken.late_s, taken.speed_kmh_max_bus) == (0.7, 77, 55)
