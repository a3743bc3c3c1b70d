"""What the engine says about a batch of positions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from services.vehicle_tracking.domain.alarms.alarm import Alarm
from services.vehicle_tracking.domain.positions import Bytes, Int32s, Int64s


@dataclass(frozen=True, slots=True)
class Transitions:
    """Changes of side, (n,) each. `kinds`: FenceTrigger; `times_ms`: the first fix on the new side."""

    vehicle_ids: Int64s
    fence_ids: Int64s
    kinds: Bytes
    times_ms: Int64s

    def __len__(self) -> int:
        return len(self.vehicle_ids)


@dataclass(frozen=True, slots=True)
class Judgement:
    """Of each position, (n,): `quality_flags` (Quality), and `usable`: it may be shown as where the vehicle is."""

    alarms: Sequence[Alarm]
    quality_flags: Int32s
    usable: NDArray[np.bool_]
    transitions: Sequence[Transitions] = ()
