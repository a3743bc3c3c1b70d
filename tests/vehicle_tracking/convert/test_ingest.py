"""Requests of programs as batches."""

from __future__ import annotations

import numpy as np
import pytest
from google.protobuf.message import DecodeError
from xiangtong.tracking.v1 import position_ingest_service_pb2 as pb
from xiangtong.tracking.v1 import positions_pb2

from services.vehicle_tracking.convert.ingest import ingest_response, ingested
from services.vehicle_tracking.convert.positions import encode
from services.vehicle_tracking.domain.positions import batch


def request(count: int, *, sources: bool) -> bytes:
    message = positions_pb2.PositionBatch()
    message.MergeFromString(encode(batch(1, vehicle_ids=range(1, count + 1), speeds_01kmh=range(count))))
    if not sources:
        message.ClearField("sources")
    return pb.IngestPositionsRequest(positions=message).SerializeToString()


@pytest.mark.parametrize("count", [1, 2, 300, 20_000])
@pytest.mark.parametrize("sources", [True, False])
def test_the_positions_are_those_of_the_message_and_from_a_program(count: int, sources: bool) -> None:
    positions = ingested(request(count, sources=sources), 77)
    assert positions.speeds_01kmh.tolist() == list(range(count))
    assert (positions.received_time_ms, set(positions.sources.tolist())) == (77, {3})


def test_fields_of_a_later_version_do_not_disturb() -> None:
    later = request(2, sources=True) + bytes([0x7A, 1, 0])
    assert len(ingested(later, 1)) == 2


def test_an_empty_request_has_no_positions() -> None:
    assert len(ingested(b"", 1)) == 0


@pytest.mark.parametrize("damaged", [b"\x0a\xff\xff\xff\xff\xff", b"\x0a\x02\x12\x07", b"\x0a\x03\x12\x01\x00"])
def test_damaged_bytes_are_refused(damaged: bytes) -> None:
    with pytest.raises((ValueError, DecodeError)):
        ingested(damaged, 1)


def test_the_answer_names_what_was_refused_in_order() -> None:
    answer = ingest_response(np.array([0, 2, 0, 1], np.uint8))
    assert answer.accepted_count == 2
    assert [(r.position_index, r.reason) for r in answer.rejections] == [
        (1, "TIME_NOT_POSITIVE"),
        (3, "UNKNOWN_VEHICLE"),
    ]
