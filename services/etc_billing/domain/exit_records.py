"""Exit records as they were sent, as columns; what is wrong with each; and each as bytes that never change."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from services.etc_billing.domain.identifiers import Kind, well_formed
from services.etc_billing.domain.passages import Int64s, Passages

EXIT_ID_SIZE_MAX = 39
STATION_SIZE, INTERVAL_SIZE = 14, 16
INTERVALS_MAX = 512  # of one passage: the longest way through the country has fewer
FEE_FEN_MAX = 100_000_000  # a million yuan
TRIP_MS_MAX = 31 * 24 * 3600 * 1000
VEHICLE_TYPES = (*range(1, 5), *range(11, 17), *range(21, 27))
FEE_CLASSES = (1, 2, 3, 4, 5, 6, 11)

IDENTITY = np.dtype(
    [
        ("exit_id", "S40"),
        ("pass_id", "S40"),
        ("card_id", "S20"),
        ("issuer_id", "S6"),
        ("entry_station_id", "S14"),
        ("plate", "S24"),  # UTF-8
        ("plate_colour", "u1"),
        ("axle_count", "u1"),
        ("pay_type", "u1"),
    ]
)
_NUMBERS = np.dtype(
    [
        ("entry_time_ms", "<i8"),
        ("exit_time_ms", "<i8"),
        ("fee_fen", "<i8"),
        ("seat_count", "<i2"),
        ("vehicle_type", "u1"),
        ("vehicle_class", "u1"),
        ("media_type", "u1"),
        ("fee_class", "u1"),
    ]
)
_COLUMNS = {
    "entry_time_ms": "entry_times_ms",
    "exit_time_ms": "exit_times_ms",
    "fee_fen": "fees_fen",
    "seat_count": "seat_counts",
    "vehicle_type": "vehicle_types",
    "vehicle_class": "vehicle_classes",
    "media_type": "media_types",
    "fee_class": "fee_classes",
}
RECORD = np.dtype([*IDENTITY.descr, *_NUMBERS.descr])
INTERVAL = np.dtype([("interval_id", "S16"), ("pass_time_ms", "<i8")])

# Why a record cannot be used; 0 is none. The list is closed and stands in the service README.
REASONS = (
    "",
    "EXIT_ID_MALFORMED",
    "PASS_ID_MALFORMED",
    "CARD_ID_MALFORMED",
    "ISSUER_ID_MALFORMED",
    "STATION_ID_MALFORMED",
    "PLATE_MALFORMED",
    "TIME_OUT_OF_RANGE",
    "VEHICLE_TYPE_UNKNOWN",
    "FEE_CLASS_UNKNOWN",
    "FEE_OUT_OF_RANGE",
    "TOO_MANY_INTERVALS",
    "NUMBER_OUT_OF_RANGE",
    "PAYER_UNKNOWN",
)


@dataclass(frozen=True, slots=True)
class ExitRecords:
    """n records. `identities`: (n,) IDENTITY. `passages`: their numbers; `interval_ids`: (m,) S16, of each interval of
    each passage. `long_texts`, `odd_numbers`: (n,) bool, whether some text or number does not fit its field."""

    identities: NDArray[Any]
    passages: Passages
    interval_ids: NDArray[np.bytes_]
    long_texts: NDArray[np.bool_]
    odd_numbers: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.identities)


def refusals(records: ExitRecords) -> NDArray[np.uint8]:
    """The index in REASONS of what is wrong with each record, (n,); 0 for nothing."""
    found, passages, ids = np.zeros(len(records), np.uint8), records.passages, records.identities
    counts = np.diff(passages.intervals.starts)
    spans_ms = passages.exit_times_ms - passages.entry_times_ms
    wrong = (
        ~well_formed(ids["exit_id"], Kind.EXIT),
        ~well_formed(ids["pass_id"], Kind.PASS),
        ~_empty_or(ids["card_id"], Kind.CARD),
        ~_empty_or(ids["issuer_id"], Kind.ISSUER),
        ~_empty_or(ids["entry_station_id"], Kind.STATION),
        (ids["plate"] == b"") | records.long_texts,
        (spans_ms < 0) | (spans_ms > TRIP_MS_MAX) | (passages.entry_times_ms <= 0),
        ~np.isin(passages.vehicle_types, VEHICLE_TYPES),
        ~np.isin(passages.fee_classes, FEE_CLASSES),
        (passages.fees_fen < -1) | (passages.fees_fen > FEE_FEN_MAX),
        counts > INTERVALS_MAX,
        records.odd_numbers,
        (ids["issuer_id"] == b"") & (passages.media_types == 1),
    )
    for reason in range(len(wrong), 0, -1):  # the first that holds is told
        found[wrong[reason - 1]] = reason
    return found


def bodies(records: ExitRecords) -> list[bytes]:
    """Each record as bytes: RECORD, then INTERVAL for each of its intervals: what was sent, and nothing more."""
    passages, starts = records.passages, records.passages.intervals.starts.tolist()
    rows = np.zeros(len(records), RECORD)
    for name in IDENTITY.names or ():
        rows[name] = records.identities[name]
    for name, column in _COLUMNS.items():
        rows[name] = getattr(passages, column)
    intervals = np.zeros(len(records.interval_ids), INTERVAL)
    intervals["interval_id"], intervals["pass_time_ms"] = records.interval_ids, passages.intervals.pass_times_ms
    heads, tails, size, more = rows.tobytes(), intervals.tobytes(), RECORD.itemsize, INTERVAL.itemsize
    return [
        heads[n * size : (n + 1) * size] + tails[starts[n] * more : starts[n + 1] * more] for n in range(len(records))
    ]


def difference(before: bytes, after: bytes) -> str:
    """The first field in which two records differ; empty when none does."""
    old, new = np.frombuffer(before, RECORD, 1)[0], np.frombuffer(after, RECORD, 1)[0]
    for name in RECORD.names or ():
        if old[name] != new[name]:
            return name
    return "" if before[RECORD.itemsize :] == after[RECORD.itemsize :] else "intervals"


def record_of(body: bytes) -> tuple[Any, NDArray[Any]]:
    """A RECORD and its (m,) INTERVALs from what `bodies` made."""
    return np.frombuffer(body, RECORD, 1)[0], np.frombuffer(body, INTERVAL, offset=RECORD.itemsize)


def business_days(exit_times_ms: Int64s) -> NDArray[np.int32]:
    """The day of each exit in Shanghai, in days since 1970-01-01: the first of a posting's three dates."""
    return ((exit_times_ms + 8 * 3_600_000) // 86_400_000).astype(np.int32)


def _empty_or(texts: NDArray[np.bytes_], kind: Kind) -> NDArray[np.bool_]:
    found: NDArray[np.bool_] = (texts == b"") | well_formed(texts, kind)
    return found
