"""The vehicles of toll trips as columns: types and classes in their shares, tags, cards and how they pay."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from simulation.toll_network import Int32s, Int64s

Bytes = NDArray[np.uint8]

OBU, CPC, NO_MEDIUM = 1, 2, 9
PASSENGERS, TRUCKS = (1, 2, 3, 4), (11, 12, 13, 14, 15, 16)
GREEN, HARVESTER, RELIEF, CONTAINER_1, CONTAINER_2 = 21, 22, 23, 24, 28
TYPE_SHARES = {
    1: 0.715,
    2: 0.01,
    3: 0.015,
    4: 0.02,
    11: 0.085,
    12: 0.035,
    13: 0.02,
    14: 0.025,
    15: 0.01,
    16: 0.06,
    21: 0.005,
}
TRUCK_CLASS_SHARES = {0: 0.8675, GREEN: 0.05, HARVESTER: 0.002, RELIEF: 0.0005, CONTAINER_1: 0.04, CONTAINER_2: 0.04}
AXLES = {13: 3, 14: 4, 15: 5, 16: 6, 21: 3}  # the rest has two
SEATS_1_SHARES = {5: 0.8, 7: 0.12, 8: 0.04, 9: 0.04}  # of passenger type 1
SEATS_FROM = {2: 10, 3: 20, 4: 40}
SEATS_MORE = 10
MEDIA_SHARES = {OBU: 0.683, CPC: 0.31, NO_MEDIUM: 0.007}
PAY_ETC = 4
PAY_SHARES = {7: 0.45, 6: 0.35, 1: 0.15, 3: 0.05}  # WeChat, Alipay, cash, UnionPay
ISSUER_SHARES = {430101: 0.86, 440101: 0.05, 420101: 0.04, 360101: 0.03, 450101: 0.02}
FEE_CLASSES = {OBU: 1, CPC: 3, NO_MEDIUM: 6}
FEE_CLASS_ONLINE, ONLINE_SHARE = 4, 0.01  # of media that could not be read wholly


@dataclass(frozen=True, slots=True)
class Vehicles:
    """n vehicles, columns (n,). `plates`, `cards`: numbers of them. `types`: what each is; `charged_types`: by its tag.

    `issuers`: of the card, 0 without one. `seat_counts`: 0 for what carries no passengers.
    """

    plates: Int64s
    cards: Int64s
    issuers: Int64s
    types: Bytes
    charged_types: Bytes
    classes: Bytes
    seat_counts: Int32s
    axle_counts: Bytes
    media_types: Bytes
    pay_types: Bytes
    fee_classes: Bytes

    def __len__(self) -> int:
        return len(self.plates)

    def take(self, rows: Int64s) -> Self:
        """The vehicles at `rows`, (k,) indices, in that order."""
        return type(self)(**{field.name: getattr(self, field.name)[rows] for field in fields(self)})


def vehicles(rng: np.random.Generator, count: int) -> Vehicles:
    """`count` vehicles, unlike each other in plate and card."""
    types = drawn(rng, TYPE_SHARES, count)
    media = drawn(rng, MEDIA_SHARES, count)
    trucks = np.isin(types, TRUCKS)
    online = (rng.random(count) < ONLINE_SHARE) & (media != NO_MEDIUM)
    return Vehicles(
        plates=np.arange(count),
        cards=np.arange(count),
        issuers=np.where(media == OBU, drawn(rng, ISSUER_SHARES, count), 0),
        types=types.astype(np.uint8),
        charged_types=types.astype(np.uint8),
        classes=np.where(trucks, drawn(rng, TRUCK_CLASS_SHARES, count), 0).astype(np.uint8),
        seat_counts=_seat_counts(rng, types),
        axle_counts=axles(types),
        media_types=media.astype(np.uint8),
        pay_types=np.where(media == OBU, PAY_ETC, drawn(rng, PAY_SHARES, count)).astype(np.uint8),
        fee_classes=np.where(online, FEE_CLASS_ONLINE, _mapped(FEE_CLASSES, media)).astype(np.uint8),
    )


def axles(types: NDArray[Any]) -> Bytes:
    """How many axles vehicles of these types have, (n,)."""
    return _mapped({**dict.fromkeys(TYPE_SHARES, 2), **AXLES}, types).astype(np.uint8)


def drawn(rng: np.random.Generator, shares: Mapping[int, float], count: int) -> Int64s:
    """`count` of the keys, each in its share."""
    edges = np.cumsum(list(shares.values()))
    return np.array(list(shares))[np.minimum(np.searchsorted(edges, rng.random(count)), len(edges) - 1)]


def _seat_counts(rng: np.random.Generator, types: Int64s) -> Int32s:
    larger = _mapped({1: 0, **SEATS_FROM}, types) + rng.integers(0, SEATS_MORE, len(types))
    seats = np.where(types == 1, drawn(rng, SEATS_1_SHARES, len(types)), larger)
    return np.where(np.isin(types, PASSENGERS), seats, 0).astype(np.int32)


def _mapped(table: Mapping[int, int], keys: NDArray[Any]) -> Int64s:
    column = np.zeros(256, np.int64)
    column[list(table)] = list(table.values())
    values: Int64s = column[keys]
    return values
