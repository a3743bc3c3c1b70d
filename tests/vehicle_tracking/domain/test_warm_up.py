"""After warming up, nothing is compiled while batches wait."""

from __future__ import annotations

import sys
from typing import Any

import numba
import numpy as np

from services.vehicle_tracking.adapters.rules import rule_settings
from services.vehicle_tracking.convert.positions import decode, encode
from services.vehicle_tracking.domain.fence_set import fence_set
from services.vehicle_tracking.domain.fences import Circle, Corridor, Fence, FenceTrigger, TimeWindow
from services.vehicle_tracking.domain.vehicles import VehicleKind
from services.vehicle_tracking.domain.warm_up import warm_up
from services.vehicle_tracking.settings import TrackingSettings
from tests.vehicle_tracking.engine_tables import Run, box, fixes

PACKAGE = "services.vehicle_tracking.domain"


def compiled() -> dict[str, int]:
    """How many versions there are of every compiled function of the engine."""
    found: dict[str, int] = {}
    for name, module in list(sys.modules.items()):
        if name.startswith(PACKAGE):
            for function in vars(module).values():
                if isinstance(function, numba.core.dispatcher.Dispatcher):
                    python: Any = function.py_func
                    found[f"{python.__module__}.{python.__name__}"] = len(function.signatures)
    return found


def test_no_batch_waits_for_the_compiler() -> None:
    warm_up(rule_settings(TrackingSettings()))
    before = compiled()
    places = np.array([0, 100_000, 200_000], np.int32)
    everything = fence_set(
        [
            box(1, 111, 27, 113, 29, speed_kmh_max=40, triggers=tuple(FenceTrigger)),
            Fence(2, "", Circle(1_120_000_000, 280_000_000, 500), time_windows=(TimeWindow((), 0, 1440),)),
            Fence(3, "", Corridor(1_120_000_000 + places, 280_000_000 + places, 50), vehicle_kinds=(VehicleKind.BUS,)),
        ]
    )
    run = Run(fences=everything)
    table = "second lon kmh alarm status\n0 112 50 0 2\n30 112 50 1 2\n20 114 50 0 2\n2000 115 0 0 0\n4000 114.3 0 0 2"
    run.fixes(table)
    run.tick(10**6)
    run.reload()
    run.take(decode(encode(fixes(table.replace("\n", "\n1"), received_after_s=10**6))))
    assert run.alarms
    assert compiled() == before
