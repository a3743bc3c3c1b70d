"""ExitRecords of the wire as columns, and the answers to them."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from xiangtong.billing.v1 import billing_service_pb2 as pb

from services.etc_billing.domain.exit_records import IDENTITY, INTERVAL_SIZE, ExitRecords
from services.etc_billing.domain.passages import UNKNOWN, Intervals, Passages
from services.etc_billing.flows.posting import Answers

_TEXTS = {
    "exit_id": "exit_ids",
    "pass_id": "pass_ids",
    "card_id": "card_ids",
    "issuer_id": "issuer_ids",
    "entry_station_id": "entry_station_ids",
    "plate": "plates",
}
_SMALL = {"plate_colour": "plate_colours", "axle_count": "axle_counts", "pay_type": "pay_types"}
_BYTES = ("vehicle_types", "vehicle_classes", "media_types", "fee_classes")
_LARGE = ("entry_times_ms", "exit_times_ms", "seat_counts", "fees_fen")
_COLUMNS = (*_TEXTS.values(), *_SMALL.values(), *_BYTES, *_LARGE, "interval_counts")
SEATS_MAX = 32_767


def exit_records_of(message: pb.ExitRecords) -> ExitRecords:
    """The records. Raises ValueError that names the column when columns do not fit each other."""
    n = len(message.exit_ids)
    for name in _COLUMNS:
        if len(getattr(message, name)) != n:
            raise ValueError(f"{name}: {len(getattr(message, name))} values for {n} records")
    counts = np.array(message.interval_counts, np.int64)
    if (counts < 0).any() or counts.sum() != len(message.interval_indexes):
        raise ValueError("interval_counts: must not be negative, and sum to the length of interval_indexes")
    if len(message.interval_times_ms) != len(message.interval_indexes):
        raise ValueError("interval_times_ms: as many as interval_indexes")
    indexes = np.array(message.interval_indexes, np.int64)
    if len(indexes) and not (indexes.min() >= 0 and indexes.max() < len(message.interval_ids)):
        raise ValueError("interval_indexes: must be indexes into interval_ids")
    identities, long_texts = _identities(message, n)
    numbers, odd_numbers = _numbers(message, n)
    for name, column in _SMALL.items():
        identities[name] = numbers[column]
    intervals = Intervals(
        np.concatenate([[0], np.cumsum(counts)]).astype(np.int64),
        np.full(len(indexes), UNKNOWN, np.int32),
        np.array(message.interval_times_ms, np.int64),
    )
    unknown = np.full(n, UNKNOWN, np.int32)
    passages = Passages(
        entry_times_ms=np.array(message.entry_times_ms, np.int64),
        exit_times_ms=np.array(message.exit_times_ms, np.int64),
        fees_fen=np.array(message.fees_fen, np.int64),
        seat_counts=numbers["seat_counts"].astype(np.int32),
        entry_stations=unknown,
        exit_stations=unknown,
        intervals=intervals,
        **{name: numbers[name].astype(np.uint8) for name in _BYTES},
    )
    return ExitRecords(identities, passages, _interval_ids(message)[indexes], long_texts, odd_numbers)


def exit_message(records: ExitRecords) -> pb.ExitRecords:
    """The records on the wire."""
    passages, identities = records.passages, records.identities
    ids, indexes = np.unique(records.interval_ids, return_inverse=True)
    texts = {column: [text.decode() for text in identities[name].tolist()] for name, column in _TEXTS.items()}
    small = {column: identities[name].tolist() for name, column in _SMALL.items()}
    numbers = {name: getattr(passages, name).tolist() for name in (*_BYTES, *_LARGE)}
    return pb.ExitRecords(
        **texts,
        **small,
        **numbers,
        interval_counts=np.diff(passages.intervals.starts).tolist(),
        interval_indexes=indexes.tolist(),
        interval_times_ms=passages.intervals.pass_times_ms.tolist(),
        interval_ids=[text.decode() for text in ids.tolist()],
    )


def post_response(answers: Answers) -> pb.PostPassageRecordsResponse:
    """The answer."""
    return pb.PostPassageRecordsResponse(
        outcomes=answers.outcomes.tolist(),
        charges_fen=answers.charges_fen.tolist(),
        remarks=[pb.PostingRemark(record_index=row, detail=text) for row, text in sorted(answers.details.items())],
    )


def _identities(message: pb.ExitRecords, n: int) -> tuple[NDArray[Any], NDArray[np.bool_]]:
    rows, long_texts = np.zeros(n, IDENTITY), np.zeros(n, np.bool_)
    for name, column in _TEXTS.items():
        texts = np.array([text.encode() for text in getattr(message, column)], np.bytes_)
        if texts.dtype.itemsize > IDENTITY[name].itemsize:
            long_texts |= np.char.str_len(texts) > IDENTITY[name].itemsize
        rows[name] = texts
    return rows, long_texts


def _numbers(message: pb.ExitRecords, n: int) -> tuple[dict[str, NDArray[np.int64]], NDArray[np.bool_]]:
    found, odd = {}, np.zeros(n, np.bool_)
    for name in (*_SMALL.values(), *_BYTES, "seat_counts"):
        values, most = np.array(getattr(message, name), np.int64), SEATS_MAX if name == "seat_counts" else 255
        odd |= (values < 0) | (values > most)
        found[name] = np.clip(values, 0, most)
    return found, odd


def _interval_ids(message: pb.ExitRecords) -> NDArray[np.bytes_]:
    """(k,) S16; one of another length is no interval of ours."""
    texts = [text.encode() for text in message.interval_ids]
    return np.array([text if len(text) == INTERVAL_SIZE else b"" for text in texts] or [b""], "S16")
