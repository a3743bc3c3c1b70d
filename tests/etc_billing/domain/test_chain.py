"""Chains of blocks: whoever alters, removes, repeats or reorders one is found, and where."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.etc_billing.domain.chain import GENESIS, Block, End, Fault, Header, What, block_hash, faults

CHAIN = 3
BEGINNING = End(CHAIN, 0, GENESIS)


def run(count: int, after: End = BEGINNING) -> list[Block]:
    """Blocks as they were written."""
    blocks, previous_hash = [], after.block_hash
    for number in range(after.number + 1, after.number + count + 1):
        content_hash = sha256(b"rows %d" % number).digest()
        header = Header(after.chain, number, 1_795_536_000_000 + number, 100, 400, content_hash, previous_hash)
        previous_hash = block_hash(header)
        blocks.append(Block(header, previous_hash, content_hash))
    return blocks


def found(blocks: Sequence[Block], after: End = BEGINNING) -> list[tuple[int, str]]:
    return [(fault.number, fault.what.value) for fault in faults(blocks, after)]


def flipped(text: bytes, bit: int) -> bytes:
    """The text with one bit the other way."""
    return bytes(byte ^ (1 << bit % 8 if place == bit // 8 else 0) for place, byte in enumerate(text))


def altered(block: Block, part: str, bit: int) -> Block:
    """The block with one bit of a part the other way; numbers have 63, hashes 256."""
    holder: Any = block.header if part in Header._fields else block
    before = getattr(holder, part)
    holder = holder._replace(**{part: before ^ 1 << bit % 63 if isinstance(before, int) else flipped(before, bit)})
    return block._replace(header=holder) if part in Header._fields else Block(*holder)


def test_a_block_hash_never_changes() -> None:
    """It is in databases, and in what was published."""
    header = Header(1, 2, 3, 4, 5, bytes(range(32)), GENESIS)
    assert block_hash(header).hex() == "c5a6cd88c0a7cd0de82a7be6d5efd12765ec19e9516d076c56ee78804408c6e3"
    by_hand = (
        b"xiangtong-block-1" + b"".join(bytes(7) + bytes([n]) for n in (1, 2, 3, 4, 5)) + bytes(range(32)) + GENESIS
    )
    assert block_hash(header) == sha256(by_hand).digest()


@pytest.mark.parametrize("count", [0, 1, 2, 9])
def test_a_chain_as_it_was_written_has_no_faults(count: int) -> None:
    assert found(run(count)) == []


def test_a_later_run_goes_on_where_the_one_before_it_ended() -> None:
    first = run(4)
    end = End(CHAIN, 4, first[-1].block_hash)
    assert found(run(3, end), end) == []
    assert found(run(3), end) == [(5, "order")]


@given(
    st.integers(1, 8),
    st.integers(0, 7),
    st.sampled_from([*Header._fields, "block_hash", "found_content_hash"]),
    st.integers(0, 255),
)
def test_any_flipped_bit_is_found_and_said_of_that_block_only(count: int, place: int, part: str, bit: int) -> None:
    blocks = run(count)
    place %= count
    blocks[place] = altered(blocks[place], part, bit)
    assert {number for number, _ in found(blocks)} == {place + 1}


@pytest.mark.parametrize(
    ("order", "expected"),
    [
        ([1, 2, 4, 5], [(3, "order")]),  # 3 is gone
        ([2, 3], [(1, "order")]),
        ([1, 2, 2, 3], [(3, "order")]),  # 2 stands twice
        ([1, 3, 2, 4], [(2, "order"), (4, "order"), (3, "order")]),
    ],
)
def test_blocks_that_are_gone_repeated_or_in_another_order_are_found(
    order: list[int], expected: list[tuple[int, str]]
) -> None:
    blocks = run(5)
    assert found([blocks[number - 1] for number in order]) == expected


def test_a_block_that_was_altered_and_hashed_again_does_not_fit_the_next() -> None:
    blocks = run(4)
    header = blocks[1].header._replace(passage_count=99)
    blocks[1] = Block(header, block_hash(header), header.content_hash)
    assert found(blocks) == [(3, "order")]


def test_a_block_of_another_chain_is_found() -> None:
    assert list(faults(run(1, End(4, 0, GENESIS)), BEGINNING)) == [Fault(CHAIN, 1, What.ORDER)]


def test_bytes_moved_from_one_hash_to_the_other_are_found() -> None:
    blocks = run(3)
    header = blocks[1].header
    whole = header.content_hash + header.previous_hash
    blocks[1] = blocks[1]._replace(header=header._replace(content_hash=whole[:33], previous_hash=whole[33:]))
    assert found(blocks) == [(2, "order"), (2, "content")]


def test_what_is_wrong_is_said() -> None:
    for part, what in (("posting_count", "header"), ("found_content_hash", "content"), ("block_hash", "header")):
        blocks = run(3)
        blocks[1] = altered(blocks[1], part, 0)
        assert found(blocks) == [(2, what)]
