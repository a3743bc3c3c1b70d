"""Every alarm rule there is, in the order in which they judge."""

from __future__ import annotations

from services.vehicle_tracking.domain.alarms.fence_transitions import FENCE_TRANSITIONS
from services.vehicle_tracking.domain.alarms.offline import OFFLINE
from services.vehicle_tracking.domain.alarms.offline_displacement import OFFLINE_DISPLACEMENT
from services.vehicle_tracking.domain.alarms.overspeed import OVERSPEED
from services.vehicle_tracking.domain.alarms.rule import Rule
from services.vehicle_tracking.domain.alarms.terminal_alarms import TERMINAL_ALARMS

RULES: tuple[Rule, ...] = (FENCE_TRANSITIONS, OVERSPEED, OFFLINE, OFFLINE_DISPLACEMENT, TERMINAL_ALARMS)
