"""Domain errors. Domain code raises these and has never heard of status codes; common/infra/grpc.py maps them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Violation:
    """One field that is wrong. `field`: dotted path in the request. `message`: what is wrong and what to do."""

    field: str
    message: str


class DomainError(Exception):
    """A refusal that the caller can understand. `reason`: upper snake, stable, listed in the service README."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message


class InvalidInput(DomainError):
    """The request itself is wrong; one violation per field."""

    def __init__(self, *violations: Violation, reason: str = "INVALID_INPUT") -> None:
        super().__init__(reason, "; ".join(f"{v.field}: {v.message}" for v in violations))
        self.violations = violations


class NotFound(DomainError):
    """There is no such thing. `kind`: the glossary's word in lower case."""

    def __init__(self, kind: str, identity: object) -> None:
        super().__init__(f"{kind.upper()}_NOT_FOUND", f"no {kind} {identity}")
        self.kind = kind
        self.identity = str(identity)


class AlreadyExists(DomainError):
    """The same key holds another body; the message names the field."""


class Stale(DomainError):
    """The etag is not the current one: read again, then edit."""

    def __init__(self, kind: str, identity: object) -> None:
        super().__init__("STALE_ETAG", f"{kind} {identity} has changed since it was read; read it again")


class NotAllowedNow(DomainError):
    """The state does not allow it."""


class NotPermitted(DomainError):
    """The caller may not do this."""


class NotAuthenticated(DomainError):
    """Nobody knows who is calling."""

    def __init__(self, message: str = "send a valid token or client certificate") -> None:
        super().__init__("NOT_AUTHENTICATED", message)


class TooMuch(DomainError):
    """A bound was reached. `retry_after_ms`: when to try again."""

    def __init__(self, reason: str, message: str, *, retry_after_ms: int = 1000) -> None:
        super().__init__(reason, message)
        self.retry_after_ms = retry_after_ms


class Unavailable(DomainError):
    """Something that this stands on does not answer. `retry_after_ms`: when to try again."""

    def __init__(self, reason: str, message: str, *, retry_after_ms: int = 1000) -> None:
        super().__init__(reason, message)
        self.retry_after_ms = retry_after_ms
