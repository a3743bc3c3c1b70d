"""Who did what through the gateway, in PostgreSQL."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import grpc.aio
from psycopg.types.json import Jsonb

from common.clock import milliseconds
from common.errors import DomainError
from common.infra import diagnostics
from services.gateway.adapters.database import Pool, rows
from services.gateway.convert.errors import refusal_of_call

DETAIL_CHARACTERS_MAX = 500


@dataclass(slots=True)
class Deed:
    """What is being done. `subject_id` may be set once it is known."""

    subject_id: str


class Audit:
    """The table of deeds."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    @asynccontextmanager
    async def noted(
        self, name: str, address: str, action: str, subject: str, subject_id: object = "", /, **detail: Any
    ) -> AsyncIterator[Deed]:
        """Note a deed before it is done, and afterwards how it ended: DONE or the reason why not."""
        work = diagnostics.trace()
        begun = await rows(
            self._pool,
            "INSERT INTO person_audit_log (name, action, subject, subject_id, detail, address, request_id)"
            " VALUES (%s, %s, %s, %s, %s, %s, %s) RETURNING audit_id",
            name, action, subject, str(subject_id), Jsonb(_shortened(detail)), address, work.request_id if work else "",
        )  # fmt: skip
        deed, outcome = Deed(str(subject_id)), "FAILED"
        try:
            yield deed
            outcome = "DONE"
        except DomainError as error:
            outcome = error.reason
            raise
        except grpc.aio.AioRpcError as error:
            outcome = refusal_of_call(error).reason
            raise
        finally:
            await rows(
                self._pool,
                "UPDATE person_audit_log SET outcome = %s, subject_id = %s WHERE audit_id = %s",
                outcome, deed.subject_id, begun[0]["audit_id"],
            )  # fmt: skip

    async def list_before(self, audit_id: int, count: int, name: str) -> list[dict[str, Any]]:
        """Up to `count` deeds, newest first, those before `audit_id`; of one person where `name` is given."""
        found = await rows(
            self._pool,
            "SELECT audit_id, audit_time, name, action, subject, subject_id, detail, address, request_id, outcome"
            " FROM person_audit_log WHERE audit_id < %s AND (%s = '' OR name = %s) ORDER BY audit_id DESC LIMIT %s",
            audit_id, name, name, count,
        )  # fmt: skip
        return [{"audit_time_ms": milliseconds(row.pop("audit_time")), **row} for row in found]


def _shortened(detail: dict[str, Any]) -> dict[str, Any]:
    return {key: value[:DETAIL_CHARACTERS_MAX] if isinstance(value, str) else value for key, value in detail.items()}
