"""What commands send with their calls."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc
import pytest
from xiangtong.tracking.v1 import tracking_service_pb2 as pb
from xiangtong.tracking.v1.tracking_service_pb2_grpc import (
    TrackingServiceServicer,
    TrackingServiceStub,
    add_TrackingServiceServicer_to_server,
)

from common.infra.grpc_channel import open_channel

pytestmark = pytest.mark.enable_socket


class Tracking(TrackingServiceServicer):
    """Answers with the size of the request and remembers the token."""

    def __init__(self) -> None:
        self.authorization: str | bytes | None = None

    def ImportFences(self, request: pb.ImportFencesRequest, context: Any) -> pb.ImportFencesResponse:  # noqa: N802 – the generated name
        self.authorization = dict(context.invocation_metadata()).get("authorization")
        return pb.ImportFencesResponse(results=[pb.FenceImportResult(fence_id=len(request.content))])


@pytest.mark.parametrize(("token", "sent"), [("made-up", "Bearer made-up"), ("", None)])
def test_a_large_file_goes_through_with_the_token(
    monkeypatch: pytest.MonkeyPatch, token: str, sent: str | None
) -> None:
    monkeypatch.setenv("XIANGTONG_GRPC_TOKEN", token)
    servicer = Tracking()  # type: ignore[abstract]  # the other methods are not called
    size = 33 * 1024 * 1024
    server = grpc.server(ThreadPoolExecutor(1), options=[("grpc.max_receive_message_length", -1)])
    add_TrackingServiceServicer_to_server(servicer, server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        with open_channel(f"127.0.0.1:{port}") as channel:
            stub: Any = TrackingServiceStub(channel)
            response = stub.ImportFences(pb.ImportFencesRequest(content=bytes(size)), timeout=20)
    finally:
        server.stop(0).wait()
    assert (response.results[0].fence_id, servicer.authorization) == (size, sent)
