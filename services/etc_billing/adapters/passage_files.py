"""Exit records as JSON lines: what the lane says of each passage, an object a line, in utf-8."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from common.clock import milliseconds
from common.errors import InvalidInput, Violation
from services.etc_billing.domain.exit_records import (
    IDENTITY,
    INTERVAL_SIZE,
    INTERVALS_MAX,
    REASONS,
    STATION_SIZE,
    ExitRecords,
    refusals,
)
from services.etc_billing.domain.passages import NO_FEE_FEN, UNKNOWN, Intervals, Passages
from services.etc_billing.domain.tariff import Tariff

LINE_BYTES_MAX = 128 * 1024  # the longest passage, with room for fields that we do not read
CHUNK_ROWS = 20_000
Flags: TypeAlias = NDArray[np.bool_]
_TEXTS = ("exit_id", "pass_id", "card_id", "issuer_id", "entry_station_id", "plate")
_SMALL = ("plate_colour", "axle_count", "pay_type")  # of the identity
_COLUMNS: dict[str, type[np.integer[Any]]] = {
    "entry_time_ms": np.int64,
    "exit_time_ms": np.int64,
    "vehicle_type": np.uint8,
    "vehicle_class": np.uint8,
    "seat_count": np.int16,
    "media_type": np.uint8,
    "fee_class": np.uint8,
    "fee_fen": np.int64,
}
_NUMBERS = (*_SMALL, "vehicle_type", "vehicle_class", "seat_count", "media_type", "fee_class")
_SIGNED = ("entry_time_ms", "exit_time_ms", "fee_fen")  # what is wrong with these is said by another reason
UNREADABLE = "LINE_UNREADABLE"
_NEEDED = ("exit_id", "pass_id", "plate", "entry_time", "exit_time", "vehicle_type", "media_type", "fee_class")


@dataclass(frozen=True, slots=True)
class LineRejection:
    """A line that is no usable exit record. `reason`: one of exit_records.REASONS or LINE_UNREADABLE."""

    line: int
    reason: str
    message: str


@dataclass(frozen=True, slots=True)
class ExitChunk:
    """Some lines of a file in order. `lines`: (n,) of the records. `byte_count`: of all lines, those rejected too."""

    records: ExitRecords
    lines: tuple[int, ...]
    rejections: tuple[LineRejection, ...]
    byte_count: int


def exits_in(path: Path, tariff: Tariff | None, *, chunk_rows: int = CHUNK_ROWS) -> Iterator[ExitChunk]:
    """The exit records of a file, with the numbers of the tariff's network where there is one; a bad line is a
    rejection, its neighbours stay."""
    with path.open("rb") as file:
        numbered = enumerate(iter(lambda: file.readline(LINE_BYTES_MAX + 1), b""), 1)
        chunk = _Chunk()
        for number, line in numbered:
            if len(line) > LINE_BYTES_MAX:
                raise InvalidInput(
                    Violation(path.name, f"line {number} is over {LINE_BYTES_MAX} bytes; write one exit record a line")
                )
            chunk.take(number, line)
            if len(chunk.rows) + len(chunk.rejections) >= chunk_rows:
                yield chunk.closed(tariff)
                chunk = _Chunk()
        if chunk.byte_count:
            yield chunk.closed(tariff)


@dataclass(slots=True)
class _Chunk:
    """Lines taken so far: the objects of those that are records."""

    rows: list[dict[str, Any]] = field(default_factory=list)
    lines: list[int] = field(default_factory=list)
    rejections: list[LineRejection] = field(default_factory=list)
    byte_count: int = 0

    def take(self, number: int, line: bytes) -> None:
        """Read one line, or keep why it cannot be read."""
        self.byte_count += len(line)
        if not line.strip():
            return
        try:
            self.rows.append(_row(_read(line)))
            self.lines.append(number)
        except _Unreadable as error:
            self.rejections.append(LineRejection(number, UNREADABLE, str(error)))
        except (ValueError, RecursionError):
            self.rejections.append(LineRejection(number, UNREADABLE, "is no JSON object in utf-8; write one a line"))

    def closed(self, tariff: Tariff | None) -> ExitChunk:
        """The records that can be used, and the rejections in order."""
        records = _records(self.rows, tariff)
        found, lines = refusals(records), self.lines
        if found.any():
            kept = np.flatnonzero(found == 0).tolist()
            records, lines = _records([self.rows[row] for row in kept], tariff), [self.lines[row] for row in kept]
        wrong = [
            LineRejection(self.lines[row], REASONS[found[row]], "correct the line and send it again")
            for row in np.flatnonzero(found)
        ]
        rejections = sorted([*self.rejections, *wrong], key=lambda rejection: rejection.line)
        return ExitChunk(records, tuple(lines), tuple(rejections), self.byte_count)


class _Unreadable(ValueError):
    """A line whose fields are not what they should be."""


def _read(line: bytes) -> Any:
    text = line.decode("utf-8-sig")  # some editors put a mark at the start of a file
    written = json.loads(text)
    if "\\u" in text:
        json.dumps(written, ensure_ascii=False).encode()  # half a character, which only an escape can hide, fails here
    return written


def _row(written: Any) -> dict[str, Any]:
    """The fields of one record, with times in milliseconds and the numbers of intervals checked for their form."""
    if not isinstance(written, dict):
        raise _Unreadable("is no JSON object")
    if missing := [name for name in _NEEDED if name not in written]:
        raise _Unreadable(f"lacks {', '.join(missing)}; add what is missing")
    row: dict[str, Any] = {name: _text(written, name) for name in _TEXTS}
    row |= {name: _whole(written, name, 0) for name in _NUMBERS}
    row |= {"fee_fen": _whole(written, "fee_fen", NO_FEE_FEN)}
    row |= {f"{name}_ms": _time_ms(written, name) for name in ("entry_time", "exit_time")}
    passed = written.get("intervals", [])
    if not isinstance(passed, list) or not all(isinstance(one, dict) for one in passed):
        raise _Unreadable("intervals is no list of objects with interval_id and pass_time")
    row["intervals"] = [(_text(one, "interval_id"), _time_ms(one, "pass_time")) for one in passed[: INTERVALS_MAX + 1]]
    return row


def _text(written: dict[str, Any], name: str) -> str:
    value = written.get(name, "")
    if not isinstance(value, str):
        raise _Unreadable(f"{name} is no text; write it in quotes")
    return value


def _whole(written: dict[str, Any], name: str, absent: int) -> int:
    value = written.get(name, absent)
    if type(value) is not int or not -(2**62) < value < 2**62:  # neither true nor 4.65
        raise _Unreadable(f"{name} is no whole number")
    return value


def _time_ms(written: dict[str, Any], name: str) -> int:
    try:
        instant = datetime.fromisoformat(_text(written, name))
    except ValueError:
        raise _Unreadable(f"{name} is no time such as 2026-03-02T09:00:00+08:00") from None
    if instant.tzinfo is None:
        raise _Unreadable(f"{name} has no offset from UTC; write it as 2026-03-02T09:00:00+08:00")
    return milliseconds(instant)


def _records(rows: list[dict[str, Any]], tariff: Tariff | None) -> ExitRecords:
    """The rows as columns; what does not fit its field is flagged, for the refusals."""
    identities, long_texts, odd_numbers = _identities(rows)
    columns: dict[str, NDArray[Any]] = {}
    for name, dtype in _COLUMNS.items():
        values = np.array([row[name] for row in rows], np.int64)
        most = np.iinfo(dtype).max
        odd_numbers |= (values > most) | ((values < 0) & (name not in _SIGNED))
        columns[name] = np.clip(values, np.iinfo(dtype).min, most).astype(dtype)
    interval_ids, intervals = _intervals(rows, tariff)
    stations = tariff.station_numbers if tariff else {}
    passages = Passages(
        entry_times_ms=columns["entry_time_ms"],
        exit_times_ms=columns["exit_time_ms"],
        vehicle_types=columns["vehicle_type"],
        vehicle_classes=columns["vehicle_class"],
        seat_counts=columns["seat_count"].astype(np.int32),
        media_types=columns["media_type"],
        fee_classes=columns["fee_class"],
        entry_stations=np.array([stations.get(row["entry_station_id"], UNKNOWN) for row in rows], np.int32),
        exit_stations=np.array([stations.get(row["exit_id"][:STATION_SIZE], UNKNOWN) for row in rows], np.int32),
        fees_fen=columns["fee_fen"],
        intervals=intervals,
    )
    return ExitRecords(identities, passages, interval_ids, long_texts, odd_numbers)


def _identities(rows: list[dict[str, Any]]) -> tuple[NDArray[Any], Flags, Flags]:
    identities = np.zeros(len(rows), IDENTITY)
    long_texts, odd_numbers = np.zeros(len(rows), np.bool_), np.zeros(len(rows), np.bool_)
    for name in _TEXTS:
        texts = [row[name].encode() for row in rows]
        long_texts |= np.array([len(text) > IDENTITY[name].itemsize for text in texts], np.bool_)
        identities[name] = texts
    for name in _SMALL:
        numbers = np.array([row[name] for row in rows], np.int64)
        odd_numbers |= (numbers < 0) | (numbers > 255)
        identities[name] = np.clip(numbers, 0, 255)
    return identities, long_texts, odd_numbers


def _intervals(rows: list[dict[str, Any]], tariff: Tariff | None) -> tuple[NDArray[np.bytes_], Intervals]:
    """The ids of all intervals, (m,) S16, and their numbers; one of another length is no interval of ours."""
    passed = [one for row in rows for one in row["intervals"]]
    starts = np.concatenate([[0], np.cumsum([len(row["intervals"]) for row in rows])]).astype(np.int64)
    texts = [name.encode() for name, _ in passed]
    ids = np.array([text if len(text) == INTERVAL_SIZE else b"" for text in texts], "S16")
    known = tariff.interval_numbers if tariff else {}
    numbers = np.array([known.get(name, UNKNOWN) for name, _ in passed], np.int32)
    return ids, Intervals(starts, numbers, np.array([time_ms for _, time_ms in passed], np.int64))
