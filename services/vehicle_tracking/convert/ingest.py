"""IngestPositions: from the bytes of the request to a batch, and the answer."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from xiangtong.tracking.v1 import position_ingest_service_pb2 as pb

from services.vehicle_tracking.convert.positions import decode
from services.vehicle_tracking.domain.ingest_checks import REASONS
from services.vehicle_tracking.domain.positions import PositionBatch, PositionSource

_POSITIONS_TAG = pb.IngestPositionsRequest.DESCRIPTOR.fields_by_name["positions"].number << 3 | 2


def ingested(request: bytes, received_time_ms: int) -> PositionBatch:
    """The positions in an IngestPositionsRequest. Raises ValueError that names the column."""
    positions = decode(_positions_in(request), source=PositionSource.PROGRAM)
    return replace(positions, received_time_ms=received_time_ms)


def ingest_response(refusals: NDArray[np.uint8]) -> pb.IngestPositionsResponse:
    """The answer; `refusals`: the reason against each position, (n,)."""
    refused = np.flatnonzero(refusals).tolist()
    return pb.IngestPositionsResponse(
        accepted_count=len(refusals) - len(refused),
        rejections=[pb.PositionRejection(position_index=n, reason=REASONS[refusals[n]]) for n in refused],
    )


def _positions_in(request: bytes) -> bytes:
    """The bytes of the one field, without a message object where the request holds nothing else: its columns are
    decoded as arrays, 20 times faster than through messages."""
    if request[:1] == bytes([_POSITIONS_TAG]):
        size, at, shift = 0, 1, 0
        while at < min(len(request), 6):
            octet = request[at]
            size |= (octet & 0x7F) << shift
            at, shift = at + 1, shift + 7
            if octet < 0x80:
                break
        if at + size == len(request):
            return request[at:]
    return pb.IngestPositionsRequest.FromString(request).positions.SerializeToString()
