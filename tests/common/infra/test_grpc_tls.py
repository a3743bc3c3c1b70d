"""TLS and mutual TLS on a real server."""

from __future__ import annotations

from pathlib import Path

import grpc
import grpc.aio
import pytest
from xiangtong.tracking.v1 import tracking_service_pb2 as pb
from xiangtong.tracking.v1.tracking_service_pb2_grpc import TrackingServiceStub

from common.infra.callers import Caller, token_hash
from common.infra.grpc import channel
from common.infra.settings import GrpcSettings
from tests.common.infra.certificates import Authority
from tests.common.infra.grpc_serving import (
    Tracking,
    answer,
    serving,
)

pytestmark = pytest.mark.enable_socket


def make(folder: Path) -> Path:
    folder.mkdir()
    return folder


async def test_over_tls_a_token_is_enough(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    certificate, key = authority.issue("localhost")
    hashes = tmp_path / "tokens"
    hashes.write_text(f"gateway {token_hash('s3cret')}\n")
    server = GrpcSettings(grpc_certificate=certificate, grpc_private_key=key, grpc_token_hashes=hashes)
    client = GrpcSettings(grpc_server_authority=authority.certificate_path, grpc_token="s3cret")
    servicer = Tracking(answer)
    async with serving(servicer, server, host="0.0.0.0") as running, channel(f"localhost:{running.port}", client) as c:
        await TrackingServiceStub(c).GetFence(pb.GetFenceRequest())
    assert servicer.caller == Caller("gateway", "token")


async def test_a_client_certificate_names_the_caller_and_none_is_refused(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    certificate, key = authority.issue("localhost")
    own_certificate, own_key = authority.issue("toll-system-7")
    server = GrpcSettings(
        grpc_certificate=certificate, grpc_private_key=key, grpc_client_authority=authority.certificate_path
    )
    known = GrpcSettings(
        grpc_server_authority=authority.certificate_path, grpc_certificate=own_certificate, grpc_private_key=own_key
    )
    servicer = Tracking(answer)
    async with serving(servicer, server, host="0.0.0.0") as running:
        async with channel(f"localhost:{running.port}", known) as c:
            await TrackingServiceStub(c).GetFence(pb.GetFenceRequest())
        assert servicer.caller == Caller("toll-system-7", "certificate")
        unknown = GrpcSettings(grpc_server_authority=authority.certificate_path)
        async with channel(f"localhost:{running.port}", unknown) as c:
            with pytest.raises(grpc.aio.AioRpcError) as failure:
                await TrackingServiceStub(c).GetFence(pb.GetFenceRequest(), timeout=5)
    assert failure.value.code() is grpc.StatusCode.UNAVAILABLE


async def test_a_renewed_certificate_is_shown_without_a_restart(tmp_path: Path) -> None:
    old, new = Authority(make(tmp_path / "old")), Authority(make(tmp_path / "new"))
    certificate, key = old.issue("localhost")
    hashes = tmp_path / "tokens"
    hashes.write_text(f"gateway {token_hash('s3cret')}\n")
    server = GrpcSettings(grpc_certificate=certificate, grpc_private_key=key, grpc_token_hashes=hashes)
    async with serving(Tracking(answer), server, host="0.0.0.0") as running:
        for authority in (old, new):
            client = GrpcSettings(grpc_server_authority=authority.certificate_path, grpc_token="s3cret")
            async with channel(f"localhost:{running.port}", client) as c:
                assert await TrackingServiceStub(c).GetFence(pb.GetFenceRequest(), timeout=5) == answer()
            renewed_certificate, renewed_key = new.issue("localhost")
            certificate.write_bytes(renewed_certificate.read_bytes())
            key.write_bytes(renewed_key.read_bytes())
