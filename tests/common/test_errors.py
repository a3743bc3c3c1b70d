"""Domain errors."""

from __future__ import annotations

from common.errors import InvalidInput, NotFound, Stale, Violation


def test_invalid_input_names_every_field() -> None:
    error = InvalidInput(Violation("name", "is empty"), Violation("radius_m", "at least 1"))
    assert (error.reason, str(error)) == ("INVALID_INPUT", "name: is empty; radius_m: at least 1")


def test_what_is_missing_or_stale_is_named() -> None:
    assert (NotFound("fence", 7).reason, NotFound("fence", 7).message) == ("FENCE_NOT_FOUND", "no fence 7")
    assert "fence 7 has changed" in Stale("fence", 7).message
