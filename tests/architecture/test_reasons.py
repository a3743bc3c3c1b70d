"""Every reason that callers may be told stands in the README of its service."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from services.etc_billing.domain import exit_records, rating
from services.vehicle_tracking.domain.ingest_checks import REASONS
from services.vehicle_tracking.terminals.jt808.columns import Reason

ROOT = Path(__file__).resolve().parents[2]
RAISED = re.compile(
    r"\b(?:InvalidInput|AlreadyExists|NotAllowedNow|NotPermitted|TooMuch|Unavailable)\(\s*\"([A-Z_]+)\""
)
UNTOLD = {
    "PARTITION_LOST": "ends an engine whose partition has another owner",
    "PARTITION_COUNT_FIXED": "ends an engine that is set to another count of partitions",
    "STARTING": "said on /readyz only",
    "LIVE_STREAM_ENDED": "said on /healthz only",
}


@pytest.mark.parametrize("service", ["vehicle_tracking", "etc_billing", "gateway"])
def test_reasons_of_a_service_are_in_its_readme(service: str) -> None:
    folder = ROOT / "services" / service
    raised = {reason for path in folder.rglob("*.py") for reason in RAISED.findall(path.read_text("utf-8"))}
    readme = (folder / "README.md").read_text("utf-8")
    assert raised
    assert [reason for reason in sorted(raised - UNTOLD.keys()) if reason not in readme] == []


def test_reasons_of_what_could_not_be_used_are_in_the_readme() -> None:
    readme = (ROOT / "services" / "vehicle_tracking" / "README.md").read_text("utf-8")
    reasons = {reason.name for reason in Reason} | set(REASONS) - {""}
    assert [reason for reason in sorted(reasons) if reason not in readme] == []


def test_reasons_of_toll_records_that_could_not_be_used_are_in_the_readme() -> None:
    readme = (ROOT / "services" / "etc_billing" / "README.md").read_text("utf-8")
    reasons = (set(exit_records.REASONS) | {reason.name for reason in rating.Reason}) - {"", "NONE"}
    assert [reason for reason in sorted(reasons) if reason not in readme] == []
