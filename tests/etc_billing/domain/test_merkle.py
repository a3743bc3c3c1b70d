"""Merkle trees: the vectors of Certificate Transparency, proofs of every line, and none of anything else."""

from __future__ import annotations

from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.etc_billing.domain.merkle import EMPTY_ROOT, Proof, tree, verify

LINES = [
    bytes.fromhex(line)
    for line in (
        "", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f",
    )
]  # fmt: skip
# Of the first 1 to 8 of these lines: published with RFC 6962's reference implementation.
ROOTS = (
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
)

several_lines = st.lists(st.binary(max_size=8), min_size=1, max_size=40)


def root_by_definition(lines: list[bytes]) -> bytes:
    """RFC 6962, 2.1: split at the largest power of two that is less than the count."""
    if len(lines) <= 1:
        return sha256(b"\x00" + lines[0]).digest() if lines else sha256(b"").digest()
    half = 1 << (len(lines) - 1).bit_length() - 1
    return sha256(b"\x01" + root_by_definition(lines[:half]) + root_by_definition(lines[half:])).digest()


def flipped(text: bytes, bit: int) -> bytes:
    """The text with one bit the other way."""
    return bytes(byte ^ (1 << bit % 8 if place == bit // 8 else 0) for place, byte in enumerate(text))


@pytest.mark.parametrize("size", range(1, 9))
def test_roots_are_those_of_certificate_transparency(size: int) -> None:
    assert tree(LINES[:size]).root.hex() == ROOTS[size - 1]


def test_no_lines_have_the_hash_of_nothing_as_their_root() -> None:
    assert tree([]).root == EMPTY_ROOT == root_by_definition([])
    assert tree([]).line_count == 0


@given(several_lines)
def test_roots_are_those_of_the_definition_and_every_line_has_its_proof(lines: list[bytes]) -> None:
    made = tree(lines)
    assert made.root == root_by_definition(lines)
    assert made.line_count == len(lines)
    for index, line in enumerate(lines):
        proof = made.proof(index)
        assert verify(line, proof, made.root)
        assert len(proof.path) <= (len(lines) - 1).bit_length()


@given(several_lines, st.data())
def test_any_flipped_bit_is_found(lines: list[bytes], data: st.DataObject) -> None:
    made = tree(lines)
    index = data.draw(st.integers(0, len(lines) - 1))
    line, proof = lines[index], made.proof(index)
    parts = [line, made.root, *proof.path]
    part = data.draw(st.sampled_from([number for number, text in enumerate(parts) if text]))
    parts[part] = flipped(parts[part], data.draw(st.integers(0, len(parts[part]) * 8 - 1)))
    assert not verify(parts[0], proof._replace(path=tuple(parts[2:])), parts[1])


@given(st.sets(st.binary(max_size=8), min_size=2, max_size=40), st.data())
def test_no_line_is_proven_at_the_place_of_another(different: set[bytes], data: st.DataObject) -> None:
    lines = sorted(different)
    made = tree(lines)
    index, other = data.draw(st.permutations(range(len(lines))))[:2]
    assert not verify(lines[index], made.proof(index)._replace(line_index=other), made.root)
    assert not verify(lines[index], made.proof(other), made.root)


def test_a_node_is_no_line() -> None:
    left, right = (sha256(b"\x00" + line).digest() for line in (b"one", b"two"))
    root = tree([b"one", b"two"]).root
    assert not verify(left + right, Proof(0, 1, ()), root)
    assert not verify(b"\x01" + left + right, Proof(0, 1, ()), root)


def test_a_proof_that_is_too_long_too_short_or_of_other_sizes_proves_nothing() -> None:
    made = tree(LINES)
    proof = made.proof(3)
    assert verify(LINES[3], proof, made.root)
    for path in (proof.path[:-1], (*proof.path, bytes(32)), (proof.path[0][:31], *proof.path[1:]), ()):
        assert not verify(LINES[3], proof._replace(path=path), made.root)
    assert not verify(LINES[3], proof._replace(line_index=-1), made.root)
    assert not verify(LINES[3], proof._replace(line_index=8), made.root)
    assert not verify(b"", Proof(0, 0, ()), EMPTY_ROOT)
