"""Settings of billing refuse what cannot be, by name."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from services.etc_billing.settings import BillingSettings


def test_without_a_tariff_there_is_none_and_a_chain_is_the_first() -> None:
    settings = BillingSettings()
    assert (settings.billing_tariff, settings.billing_chain, settings.billing_host) == (None, 1, "127.0.0.1")


def test_a_chain_is_a_positive_number(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XIANGTONG_BILLING_CHAIN", "0")
    with pytest.raises(ValidationError, match="billing_chain"):
        BillingSettings()


def test_a_tariff_is_a_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XIANGTONG_BILLING_TARIFF", "tariffs/now")
    assert BillingSettings().billing_tariff == Path("tariffs/now")
