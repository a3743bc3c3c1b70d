"""TLS of gRPC servers and channels. Servers take up renewed certificates without a restart."""

from __future__ import annotations

from pathlib import Path

import grpc

from common.infra import diagnostics
from common.infra.settings import GrpcSettings

log = diagnostics.logger(__name__)


def server_credentials(settings: GrpcSettings) -> grpc.ServerCredentials | None:
    """What the server shows, and whom it trusts when it asks for client certificates; None: no TLS."""
    if settings.grpc_certificate is None or settings.grpc_private_key is None:
        return None
    files = _CertificateFiles(settings.grpc_certificate, settings.grpc_private_key, settings.grpc_client_authority)
    initial = files.renewed()
    assert initial is not None
    return grpc.dynamic_ssl_server_credentials(
        initial,
        files.renewed,  # type: ignore[arg-type]  # None means unchanged, which the stubs leave out
        require_client_authentication=settings.grpc_client_authority is not None,
    )


def channel_credentials(settings: GrpcSettings) -> grpc.ChannelCredentials | None:
    """Whom a channel trusts, and what it shows when the server asks for a certificate; None: no TLS."""
    if settings.grpc_server_authority is None:
        return None
    return grpc.ssl_channel_credentials(
        root_certificates=settings.grpc_server_authority.read_bytes(),
        private_key=settings.grpc_private_key.read_bytes() if settings.grpc_private_key else None,
        certificate_chain=settings.grpc_certificate.read_bytes() if settings.grpc_certificate else None,
    )


class _CertificateFiles:
    """Certificate, key and authority on disk, and which content was seen last."""

    def __init__(self, certificate: Path, private_key: Path, authority: Path | None) -> None:
        self._paths = [path for path in (certificate, private_key, authority) if path is not None]
        self._seen: list[bytes] = []

    def renewed(self) -> grpc.ServerCertificateConfiguration | None:
        """The configuration when a file has changed since the last call; None when none has. Asked at each handshake,
        so a file that cannot be read now must not fail it: the certificate in use stays."""
        try:
            contents = [path.read_bytes() for path in self._paths]
        except OSError as error:
            log.warning("certificate files cannot be read", error=str(error))
            return None
        if contents == self._seen:
            return None
        self._seen = contents
        certificate, private_key, *authority = contents
        return grpc.ssl_server_certificate_configuration(
            [(private_key, certificate)], root_certificates=authority[0] if authority else None
        )
