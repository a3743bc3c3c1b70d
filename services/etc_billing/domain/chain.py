"""Chains of ledger blocks: each block holds the hash of the one before it, so that none can be altered unseen.

Every writer has a chain of its own: no writer waits for another.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from enum import StrEnum
from hashlib import sha256
from typing import NamedTuple

HASH_SIZE = 32
GENESIS = bytes(HASH_SIZE)  # before the first block of a chain
_DOMAIN = b"xiangtong-block-1"  # the form of what is hashed; another form has another name


class Header(NamedTuple):
    """What a block is. `number`: from 1 in its chain; `content_hash`: over all rows of the block; `previous_hash`: of
    the block before it."""

    chain: int
    number: int
    post_time_ms: int
    passage_count: int
    posting_count: int
    content_hash: bytes
    previous_hash: bytes


class Block(NamedTuple):
    """A block as it is read again: its header, the hash that was stored with it, and the hash of its rows as they are
    now."""

    header: Header
    block_hash: bytes
    found_content_hash: bytes


class What(StrEnum):
    """What is wrong with a block."""

    ORDER = "order"  # it does not follow the block before it: one is missing, twice there, or of another chain
    CONTENT = "content"  # its rows are not those that were hashed
    HEADER = "header"  # its header is not what was hashed


class Fault(NamedTuple):
    """What is wrong at a place of a chain. `number`: of the block that belongs there."""

    chain: int
    number: int
    what: What


class End(NamedTuple):
    """The last block of a chain, from which a later run goes on. `block_hash`: GENESIS where there is none yet."""

    chain: int
    number: int
    block_hash: bytes


def block_hash(header: Header) -> bytes:
    """SHA-256 of a header: its numbers as 8 bytes, big-endian, then its hashes. Stored, so it never changes."""
    numbers = b"".join(number.to_bytes(8, "big", signed=True) for number in header[:5])
    return sha256(_DOMAIN + numbers + header.content_hash + header.previous_hash).digest()


def faults(blocks: Iterable[Block], after: End) -> Iterator[Fault]:
    """What is wrong with a run of blocks of one chain that should follow `after`, in order; each block is read once.

    One block altered in any way gives faults of that block only. Blocks cut off the end leave no trace here: compare
    the last hash with one that was published.
    """
    number, hashes = after.number + 1, {after.block_hash}
    for header, stored_hash, found_content_hash in blocks:
        computed_hash = block_hash(header)
        if (header.chain, header.number) != (after.chain, number) or header.previous_hash not in hashes:
            yield Fault(after.chain, number, What.ORDER)
        if header.content_hash != found_content_hash:
            yield Fault(after.chain, number, What.CONTENT)
        if computed_hash != stored_hash:
            yield Fault(after.chain, number, What.HEADER)
        # The block after an altered one holds what was hashed: either the header or the stored hash still says so.
        hashes = {stored_hash, computed_hash}
        number = (header.number if computed_hash == stored_hash else number) + 1
