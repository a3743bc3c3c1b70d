"""A channel to the api for commands that run and end."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import grpc

from common.infra.settings import GrpcSettings, load

ADDRESS_DEFAULT = "127.0.0.1:6851"
MESSAGE_BYTES_MAX = 64 * 1024 * 1024  # the largest file of fences, and what its answer takes


@contextmanager
def open_channel(address: str) -> Iterator[grpc.Channel]:
    """A channel to `address` with the token and the TLS that the settings of gRPC clients say."""
    settings = load(GrpcSettings)
    options = [
        ("grpc.max_send_message_length", MESSAGE_BYTES_MAX),
        ("grpc.max_receive_message_length", MESSAGE_BYTES_MAX),
    ]
    if settings.grpc_server_authority is None:
        plain = grpc.insecure_channel(address, options=options)
    else:
        plain = grpc.secure_channel(address, _credentials(settings), options=options)
    with plain as channel:
        yield channel if settings.grpc_token is None else grpc.intercept_channel(channel, _Token(settings.grpc_token))


class _Token(grpc.UnaryUnaryClientInterceptor):
    def __init__(self, token: str) -> None:
        self._token = token

    def intercept_unary_unary(self, continuation: Any, client_call_details: Any, request: Any) -> Any:
        metadata = [*(client_call_details.metadata or ()), ("authorization", f"Bearer {self._token}")]
        return continuation(client_call_details._replace(metadata=metadata), request)


def _credentials(settings: GrpcSettings) -> grpc.ChannelCredentials:
    assert settings.grpc_server_authority is not None
    return grpc.ssl_channel_credentials(
        root_certificates=settings.grpc_server_authority.read_bytes(),
        private_key=settings.grpc_private_key.read_bytes() if settings.grpc_private_key else None,
        certificate_chain=settings.grpc_certificate.read_bytes() if settings.grpc_certificate else None,
    )
