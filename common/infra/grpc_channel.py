"""Channels for commands that run and end."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import grpc

from common.infra.grpc_tls import channel_credentials
from common.infra.settings import GrpcSettings, load

MESSAGE_BYTES_MAX = 64 * 1024 * 1024  # the largest file of fences, and what its answer takes


@contextmanager
def open_channel(address: str) -> Iterator[grpc.Channel]:
    """A channel to `address` with the token and the TLS that the settings of gRPC clients say."""
    settings = load(GrpcSettings)
    options = [
        ("grpc.max_send_message_length", MESSAGE_BYTES_MAX),
        ("grpc.max_receive_message_length", MESSAGE_BYTES_MAX),
    ]
    credentials = channel_credentials(settings)
    if credentials is None:
        plain = grpc.insecure_channel(address, options=options)
    else:
        plain = grpc.secure_channel(address, credentials, options=options)
    with plain as channel:
        yield channel if settings.grpc_token is None else grpc.intercept_channel(channel, _Token(settings.grpc_token))


class _Token(grpc.UnaryUnaryClientInterceptor):
    def __init__(self, token: str) -> None:
        self._token = token

    def intercept_unary_unary(self, continuation: Any, client_call_details: Any, request: Any) -> Any:
        metadata = [*(client_call_details.metadata or ()), ("authorization", f"Bearer {self._token}")]
        return continuation(client_call_details._replace(metadata=metadata), request)
