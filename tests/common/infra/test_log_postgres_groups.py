"""How partitions are shared among members."""

from __future__ import annotations

from collections import Counter
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from common.infra.log_postgres_groups import Key, shared

A, B, C = (UUID(int=number) for number in (1, 2, 3))

holdings = st.dictionaries(
    st.tuples(st.just(1), st.integers(0, 30)), st.sampled_from([None, *(UUID(int=number) for number in range(1, 9))])
)
groups = st.sets(st.integers(1, 9)).map(lambda numbers: {UUID(int=number): [1] for number in numbers})


def test_a_second_member_gets_half_and_the_first_keeps_the_rest() -> None:
    holders: dict[Key, UUID | None] = {(1, partition): A for partition in range(4)}
    wanted = shared(holders, {A: [1], B: [1]})
    assert Counter(wanted.values()) == {A: 2, B: 2}


def test_what_a_gone_member_held_goes_to_those_who_stay() -> None:
    wanted = shared({(1, 0): A, (1, 1): C, (1, 2): B}, {A: [1], B: [1]})
    assert (wanted[1, 0], wanted[1, 2]) == (A, B)
    assert wanted[1, 1] in (A, B)


def test_partitions_go_only_to_readers_of_their_topic() -> None:
    wanted = shared({(1, 0): None, (2, 0): None, (3, 0): A}, {A: [1], B: [2]})
    assert wanted == {(1, 0): A, (2, 0): B, (3, 0): None}


def test_remainders_of_several_topics_even_out() -> None:
    holders: dict[Key, UUID | None] = {(topic, partition): None for topic in (1, 2) for partition in range(3)}
    wanted = shared(holders, {A: [1, 2], B: [1, 2]})
    assert Counter(wanted.values()) == {A: 3, B: 3}


@given(holdings, groups)
def test_loads_differ_by_one_at_most_and_everything_has_an_owner(
    holders: dict[Key, UUID | None], members: dict[UUID, list[int]]
) -> None:
    wanted = shared(holders, members)
    assert wanted.keys() == holders.keys()
    loads = Counter(wanted.values())
    if members:
        counts = [loads[member] for member in members]
        assert sum(counts) == len(holders)
        assert max(counts) - min(counts) <= 1


@given(holdings, groups)
def test_no_more_moves_than_balance_takes(holders: dict[Key, UUID | None], members: dict[UUID, list[int]]) -> None:
    wanted = shared(holders, members)
    assert shared(wanted, members) == wanted
    held = Counter(holder for holder in holders.values() if holder in members)
    moved = sum(holder in members and holder != wanted[key] for key, holder in holders.items())
    ceiling = -(-len(holders) // len(members)) if members else 0
    floor = len(holders) // len(members) if members else 0
    most = sum(max(0, count - floor) for count in held.values())
    least = sum(max(0, count - ceiling) for count in held.values())
    assert least <= moved <= most
