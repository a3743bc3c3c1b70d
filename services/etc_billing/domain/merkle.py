"""Merkle trees over the lines of an owner's day, in the form of RFC 6962, so that an owner can check its own lines.

Leaves and nodes are hashed apart (a 0 or a 1 byte before them): no node can be passed off as a line.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import NamedTuple

HASH_SIZE = 32
EMPTY_ROOT = sha256(b"").digest()
_LEAF, _NODE = b"\x00", b"\x01"


class Proof(NamedTuple):
    """That a line is the one at `line_index` among `line_count`: the hashes beside its way to the root, from below."""

    line_index: int
    line_count: int
    path: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class Tree:
    """The hashes of a tree, level by level: of the lines first, of the root last. No levels without lines."""

    levels: tuple[tuple[bytes, ...], ...]

    @property
    def line_count(self) -> int:
        """How many lines there are."""
        return len(self.levels[0]) if self.levels else 0

    @property
    def root(self) -> bytes:
        """The hash over all lines."""
        return self.levels[-1][0] if self.levels else EMPTY_ROOT

    def proof(self, line_index: int) -> Proof:
        """The proof that the line at `line_index` is under the root."""
        assert 0 <= line_index < self.line_count
        beside = [(level, line_index >> height ^ 1) for height, level in enumerate(self.levels[:-1])]
        return Proof(line_index, self.line_count, tuple(level[place] for level, place in beside if place < len(level)))


def tree(lines: Sequence[bytes]) -> Tree:
    """The tree over lines, in their order. A line names its owner and day: it proves nothing of others."""
    if not lines:
        return Tree(())
    levels = [tuple([sha256(_LEAF + line).digest() for line in lines])]
    while len(levels[-1]) > 1:
        levels.append(_above(levels[-1]))
    return Tree(tuple(levels))


def verify(line: bytes, proof: Proof, root: bytes) -> bool:
    """Whether a proof shows that a line is under a root. It does not show how many lines there are: that is published
    with the root, and whoever checks a line compares it too."""
    if not 0 <= proof.line_index < proof.line_count:
        return False
    place, last = proof.line_index, proof.line_count - 1
    found, path = sha256(_LEAF + line).digest(), iter(proof.path)
    while last > 0:
        if place & 1 or place < last:  # what stands alone at the end of its level goes up as it is
            beside = next(path, b"")
            if len(beside) != HASH_SIZE:
                return False
            found = _node(beside, found) if place & 1 else _node(found, beside)
        place, last = place >> 1, last >> 1
    return next(path, None) is None and found == root


def _above(level: tuple[bytes, ...]) -> tuple[bytes, ...]:
    paired = [_node(left, right) for left, right in zip(level[::2], level[1::2], strict=False)]
    return (*paired, *level[len(paired) * 2 :])


def _node(left: bytes, right: bytes) -> bytes:
    return sha256(_NODE + left + right).digest()
