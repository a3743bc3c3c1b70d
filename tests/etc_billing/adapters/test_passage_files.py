"""Exit records as JSON lines."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from common.errors import InvalidInput
from services.etc_billing.adapters.passage_files import LINE_BYTES_MAX, ExitChunk, exits_in
from services.etc_billing.domain.passages import NO_FEE_FEN, UNKNOWN
from tests.etc_billing.passage_tables import interval_id, ms, tariff
from tests.etc_billing.tariff_folders import exit_file, exit_record

TARIFF = tariff(1, 1, 1)


def chunks(folder: Path, *records: dict[str, Any] | str, rows: int = 100) -> list[ExitChunk]:
    return list(exits_in(exit_file(folder / "exits.jsonl", *records), TARIFF, chunk_rows=rows))


def rejected(folder: Path, record: dict[str, Any] | str) -> tuple[str, str]:
    """Its reason and message; its neighbours are read."""
    (chunk,) = chunks(folder, exit_record(0), record, exit_record(1))
    assert chunk.lines == (1, 3)
    (rejection,) = chunk.rejections
    assert rejection.line == 2
    return rejection.reason, rejection.message


def test_every_field_has_its_column(tmp_path: Path) -> None:
    (chunk,) = chunks(tmp_path, exit_record(0, 1, fee_fen=950, vehicle_class=21))
    records, passages = chunk.records, chunk.records.passages
    assert records.identities["exit_id"].tolist() == [exit_record()["exit_id"].encode()]
    assert records.identities["plate"][0].decode() == "湘A12345"
    assert records.identities[["plate_colour", "axle_count", "pay_type"]].tolist() == [(0, 2, 4)]
    assert (passages.entry_times_ms[0], passages.exit_times_ms[0]) == (ms("2026-03-02T09:00"), ms("2026-03-02T10:00"))
    assert (passages.vehicle_types[0], passages.vehicle_classes[0], passages.seat_counts[0]) == (1, 21, 5)
    assert (passages.media_types[0], passages.fee_classes[0], passages.fees_fen[0]) == (1, 1, 950)
    assert (passages.entry_stations[0], passages.exit_stations[0]) == (0, 1)
    assert passages.intervals.starts.tolist() == [0, 2]
    assert passages.intervals.numbers.tolist() == [0, 1]
    assert passages.intervals.pass_times_ms.tolist() == [ms("2026-03-02T09:10"), ms("2026-03-02T09:11")]
    assert records.interval_ids.tolist() == [interval_id(0).encode(), interval_id(1).encode()]


def test_a_mark_at_the_start_and_escapes_do_no_harm(tmp_path: Path) -> None:
    (chunk,) = chunks(tmp_path, "\ufeff" + json.dumps(exit_record(0)), json.dumps(exit_record(1)))
    assert [plate.decode() for plate in chunk.records.identities["plate"].tolist()] == ["湘A12345"] * 2


def test_times_may_be_of_any_offset(tmp_path: Path) -> None:
    (chunk,) = chunks(tmp_path, exit_record(entry_time="2026-03-02T01:00:00Z"))
    assert chunk.records.passages.entry_times_ms[0] == ms("2026-03-02T09:00")


def test_what_the_network_does_not_have_is_unknown(tmp_path: Path) -> None:
    odd = {"interval_id": "no", "pass_time": "2026-03-02T09:10:00+08:00"}
    (chunk,) = chunks(tmp_path, exit_record(entry_station_id="G9999430010001", intervals=[odd]), exit_record(7))
    assert chunk.records.passages.entry_stations.tolist() == [UNKNOWN, 0]
    assert chunk.records.passages.intervals.numbers.tolist() == [UNKNOWN, UNKNOWN]
    assert chunk.records.interval_ids.tolist() == [b"", interval_id(7).encode()]


def test_without_a_tariff_nothing_is_numbered(tmp_path: Path) -> None:
    (chunk,) = exits_in(exit_file(tmp_path / "exits.jsonl", exit_record(0)), None)
    passages = chunk.records.passages
    assert (passages.entry_stations[0], passages.exit_stations[0]) == (UNKNOWN, UNKNOWN)
    assert passages.intervals.numbers.tolist() == [UNKNOWN]
    assert chunk.records.interval_ids.tolist() == [interval_id(0).encode()]


def test_what_need_not_be_there_has_a_default(tmp_path: Path) -> None:
    absent = ("seat_count", "vehicle_class", "axle_count", "pay_type", "plate_colour", "entry_station_id", "intervals")
    (chunk,) = chunks(tmp_path, exit_record(**dict.fromkeys(absent)))
    assert (chunk.records.passages.fees_fen[0], chunk.records.passages.seat_counts[0]) == (NO_FEE_FEN, 0)
    assert chunk.records.passages.intervals.starts.tolist() == [0, 0]


@pytest.mark.parametrize(
    ("record", "what"),
    [
        ("{", "is no JSON object in utf-8"),
        ("[1]", "is no JSON object"),
        ("[" * 100_000, "is no JSON object"),
        (exit_record(plate=None, vehicle_type=None), "lacks plate, vehicle_type; add what is missing"),
        (exit_record(plate=7), "plate is no text; write it in quotes"),
        (json.dumps(exit_record(plate="\ud800")), "is no JSON object in utf-8"),
        (exit_record(vehicle_type="1"), "vehicle_type is no whole number"),
        (exit_record(fee_fen=4.65), "fee_fen is no whole number"),
        (exit_record(seat_count=True), "seat_count is no whole number"),
        (exit_record(fee_fen=10**30), "fee_fen is no whole number"),
        (exit_record(exit_time="soon"), "exit_time is no time such as"),
        (exit_record(exit_time="2026-03-02T10:00:00"), "exit_time has no offset from UTC"),
        (exit_record(intervals={}), "intervals is no list of objects"),
        (exit_record(intervals=[1]), "intervals is no list of objects"),
        (exit_record(intervals=[{"interval_id": interval_id(0)}]), "pass_time is no time"),
    ],
)
def test_a_line_that_cannot_be_read_is_a_rejection(tmp_path: Path, record: dict[str, Any] | str, what: str) -> None:
    reason, message = rejected(tmp_path, record)
    assert reason == "LINE_UNREADABLE"
    assert what in message


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"exit_id": "x"}, "EXIT_ID_MALFORMED"),
        ({"plate": "湘" * 30}, "PLATE_MALFORMED"),
        ({"vehicle_type": 9}, "VEHICLE_TYPE_UNKNOWN"),
        ({"fee_class": 300}, "FEE_CLASS_UNKNOWN"),
        ({"fee_fen": -5}, "FEE_OUT_OF_RANGE"),
        ({"axle_count": 256}, "NUMBER_OUT_OF_RANGE"),
        ({"seat_count": -1}, "NUMBER_OUT_OF_RANGE"),
        ({"exit_time": "2025-03-02T10:00:00+08:00"}, "TIME_OUT_OF_RANGE"),
    ],
)
def test_a_record_that_is_refused_has_the_reason_that_posting_gives(
    tmp_path: Path, fields: dict[str, Any], reason: str
) -> None:
    assert rejected(tmp_path, exit_record(0, **fields))[0] == reason


def test_too_many_intervals_are_refused(tmp_path: Path) -> None:
    assert rejected(tmp_path, exit_record(*[0] * 40) | {"intervals": exit_record(0)["intervals"] * 600})[0] == (
        "TOO_MANY_INTERVALS"
    )


def test_a_line_without_end_refuses_the_file(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match=r"exits\.jsonl: line 2 is over"):
        chunks(tmp_path, exit_record(0), "x" * (LINE_BYTES_MAX + 1))


def test_long_files_come_in_chunks_and_every_byte_is_counted(tmp_path: Path) -> None:
    records: list[dict[str, Any] | str] = [exit_record(0), "{", "", exit_record(1), exit_record(0, 1), exit_record()]
    found = chunks(tmp_path, *records, rows=2)
    assert [chunk.lines for chunk in found] == [(1,), (4, 5), (6,)]
    assert [len(chunk.rejections) for chunk in found] == [1, 0, 0]
    assert sum(chunk.byte_count for chunk in found) == (tmp_path / "exits.jsonl").stat().st_size
    assert np.diff(found[1].records.passages.intervals.starts).tolist() == [1, 2]


def test_an_empty_file_has_no_chunks(tmp_path: Path) -> None:
    (tmp_path / "exits.jsonl").write_bytes(b"")
    assert list(exits_in(tmp_path / "exits.jsonl", TARIFF)) == []
