"""Who is calling."""

from __future__ import annotations

from pathlib import Path

import pytest

from common.errors import NotAuthenticated
from common.infra.callers import LOOPBACK_CALLER, Caller, Callers, is_loopback, read_token_hashes, token_hash

CALLERS = Callers({token_hash("s3cret"): "gateway"}, anonymous=None)


def test_a_token_names_its_owner() -> None:
    found = CALLERS.identified(authorization="Bearer s3cret", common_names=[])
    assert found == Caller("gateway", "token")


def test_a_certificate_names_its_owner() -> None:
    found = CALLERS.identified(authorization=None, common_names=[b"toll-system"])
    assert found == Caller("toll-system", "certificate")


@pytest.mark.parametrize("header", ["Bearer guess", "Bearer ", "Basic s3cret", "s3cret", "", "Bearer s3cret "])
def test_a_wrong_token_is_refused_even_beside_a_certificate(header: str) -> None:
    with pytest.raises(NotAuthenticated):
        CALLERS.identified(authorization=header, common_names=[b"toll-system"])


def test_nobody_is_refused_except_on_loopback() -> None:
    with pytest.raises(NotAuthenticated):
        CALLERS.identified(authorization=None, common_names=[])
    local = Callers({}, anonymous=LOOPBACK_CALLER)
    assert local.identified(authorization=None, common_names=[]) == LOOPBACK_CALLER


def test_token_hashes_are_read_with_comments(tmp_path: Path) -> None:
    path = tmp_path / "tokens"
    path.write_text(f"# who may call\n\ngateway {token_hash('a').upper()}  # console\nsim {token_hash('b')}\n")
    assert read_token_hashes(path) == {token_hash("a"): "gateway", token_hash("b"): "sim"}


@pytest.mark.parametrize("line", ["gateway", "gateway s3cret", f"gateway {'g' * 64}", f"a b {'0' * 64}"])
def test_a_bad_line_is_named(line: str, tmp_path: Path) -> None:
    path = tmp_path / "tokens"
    path.write_text(f"# first\n{line}\n")
    with pytest.raises(ValueError, match="tokens line 2: expected a name"):
        read_token_hashes(path)


@pytest.mark.parametrize(
    ("host", "loopback"),
    [
        ("127.0.0.1", True),
        ("127.9.9.9", True),
        ("::1", True),
        ("[::1]", True),
        ("localhost", True),
        ("unix:/run/api.sock", True),
        ("0.0.0.0", False),
        ("::", False),
        ("10.0.0.1", False),
        ("localhost.example.org", False),
        ("", False),
    ],
)
def test_loopback_is_what_only_this_machine_reaches(host: str, loopback: bool) -> None:
    assert is_loopback(host) is loopback
