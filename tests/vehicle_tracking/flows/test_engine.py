"""The engine's flow: effects in order, nothing lost and nothing twice wherever it crashes."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any

import pytest
import structlog.testing

from common.errors import Unavailable
from common.infra.log import TopicPartition
from common.metrics import registry
from services.vehicle_tracking.domain.alarms.alarm import Alarm
from services.vehicle_tracking.flows.engine import LOG_RETURN_S, TICK_LATENESS_MS, LogReplacedError, packed, unpacked
from services.vehicle_tracking.flows.poison import TooMuchPoisonError
from tests.vehicle_tracking.engine_world import SETTINGS, Crash, FastRule, World
from tests.vehicle_tracking.memory_log import MemoryLog

# vehicle, second, km/h: vehicle 1 is fast from 20 to 40, vehicle 2 from 30 on
DRIVE = ((1, 10, 50), (2, 10, 50), (1, 20, 120), (2, 30, 130), (1, 30, 125), (1, 40, 60), (2, 40, 140), (1, 50, 50))
SPANS = [(20, 40), (30, None)]
ARCHIVED = sorted((vehicle_id, second) for vehicle_id, second, _ in DRIVE)


def test_alarms_are_stored_then_told_and_files_precede_the_checkpoint_that_covers_them() -> None:
    world = World()
    world.send(*DRIVE)
    world.engine().run(12)
    assert world.effects[2:4] == ["store", "publish"]
    assert [e for e in world.effects if e in ("archived", "checkpoint")] == ["archived", "checkpoint"] * 2
    assert (world.spans(), world.archived()) == (SPANS, ARCHIVED)


def test_offsets_are_committed_only_after_the_checkpoint() -> None:
    world, place = World(), TopicPartition("positions", 1)
    world.send(*DRIVE)
    process = world.engine()
    process.run(3)
    assert world.log.committed("tracking-engine", place) is None
    process.run(10)
    assert world.log.committed("tracking-engine", place) == world.saved[place].next_offset == 5


def test_a_log_that_ends_before_the_checkpoint_is_refused() -> None:
    world = World()
    world.send(*DRIVE)
    world.engine().run(12)
    world.log = MemoryLog()
    world.log.partition_counts["positions"] = 2
    with pytest.raises(LogReplacedError, match="ends at 0, but its checkpoint covers everything before"):
        world.engine().run(1)


def with_a_checkpoint() -> tuple[World, TopicPartition]:
    """Vehicle 1 is fast when the process ends in good order."""
    world, place = World(), TopicPartition("positions", 1)
    world.send(*[fix for fix in DRIVE if fix[0] == 1][:3])
    process = world.engine()
    process.run(2)
    process.stop()
    return world, place


CUT_OFF, OTHER = b"".join(packed(b"{}", b""))[:-1], b"".join(packed(b"of another version", b""))


@pytest.mark.parametrize("state", [None, b"", CUT_OFF, OTHER])
def test_a_checkpoint_that_cannot_be_used_is_said_and_the_partition_begins_with_nothing_remembered(
    state: bytes | None,
) -> None:
    world, place = with_a_checkpoint()
    path = world.saved[place].path
    if state is None:
        del world.states[path]
    else:
        world.states[path] = state
    world.send((1, 40, 130), (1, 50, 60))
    with structlog.testing.capture_logs() as lines:
        world.engine().run(15)
    assert [line["partition"] for line in lines if line["log_level"] == "error"] == [1]
    assert world.spans() == [(20, None), (40, 50)]  # what was open stays open, and a rule may raise again
    assert world.archived() == [(1, second) for second in (10, 20, 30, 40, 50)]


def test_a_checkpoint_is_waited_for_while_the_archive_is_away() -> None:
    world, _ = with_a_checkpoint()
    world.away["load"] = 5
    world.send((1, 40, 60))
    world.engine().run(15)
    assert world.spans() == [(20, 40)]


def test_records_that_the_log_dropped_before_they_were_read_are_counted_and_said() -> None:
    world, place = with_a_checkpoint()
    world.send((1, 40, 130), (1, 50, 60), (1, 60, 60))
    world.log.oldest_offset = world.saved[place].next_offset + 2
    lost = registry.get_sample_value("xiangtong_engine_records_lost_total") or 0
    with structlog.testing.capture_logs() as lines:
        world.engine().run(2)
    assert registry.get_sample_value("xiangtong_engine_records_lost_total") == lost + 2
    assert [(line["partition"], line["count"]) for line in lines if line["log_level"] == "warning"] == [(1, 2)]


# Where the first life ends, and how many seconds it has had by then at least.
CRASHES = """
    effect          life
    claim           0
    store           1
    publish         1
    archive         5
    archived        5
    checkpoint      5
    checkpointed    5
"""


@pytest.mark.parametrize("effect", [line.split()[0] for line in CRASHES.strip().splitlines()[1:]])
@pytest.mark.parametrize("sent_before", range(len(DRIVE) + 1))
def test_a_crash_at_any_effect_loses_nothing_and_doubles_nothing(effect: str, sent_before: int) -> None:
    world = World()
    world.send(*DRIVE[:sent_before])
    world.crash_at = effect
    with suppress(Crash):
        world.engine().run(13)
    world.crash_at = ""
    world.send(*DRIVE[sent_before:])
    world.engine().run(25)
    assert (world.spans(), world.archived()) == (SPANS, ARCHIVED)


def test_a_crash_between_two_files_of_one_checkpoint_writes_them_again() -> None:
    world = World()
    small = replace(SETTINGS, checkpoint_positions_max=2)
    world.send(*DRIVE[:6])
    world.crash_at = "checkpoint"
    with pytest.raises(Crash):
        world.engine(small).run(20)
    assert world.archived() != []
    world.send(*DRIVE[6:])
    world.engine(small).run(25)
    assert (world.spans(), world.archived()) == (SPANS, ARCHIVED)


def test_stopping_in_good_order_leaves_nothing_to_repeat() -> None:
    world = World()
    world.send(*DRIVE)
    process = world.engine()
    process.run(2)
    process.stop()
    assert (world.archived(), sum(claim.next_offset for claim in world.saved.values())) == (ARCHIVED, len(DRIVE))
    told = len(world.published)
    world.engine().run(15)
    assert (world.archived(), len(world.published)) == (ARCHIVED, told)


@pytest.mark.parametrize("effect", ["store", "publish", "archive", "checkpoint", "claim"])
def test_what_is_away_for_a_while_is_waited_for(effect: str) -> None:
    world = World()
    world.send(*DRIVE)
    world.away[effect] = 5
    world.engine().run(25)
    assert (world.spans(), world.archived()) == (SPANS, ARCHIVED)


def test_a_log_that_is_away_is_said_and_nothing_is_lost() -> None:
    world = World()
    world.send(*DRIVE[:4])
    process = world.engine()
    process.run(2)
    world.log.away = True
    with pytest.raises(Unavailable):
        process.run(1)
    world.log.away = False
    world.send(*DRIVE[4:])
    process.run(25)
    assert (world.spans(), world.archived()) == (SPANS, ARCHIVED)


class NotedTicks(FastRule):
    """Keeps until when silence was judged last."""

    judged_ms = 0

    def tick(self, state: Any, now_ms: int) -> Sequence[Alarm]:
        self.judged_ms = now_ms
        return []


def test_silence_is_judged_by_the_clock_once_access_has_appended_what_it_received_during_an_outage() -> None:
    world, rules = World(), NotedTicks()
    world.send((1, 10, 50))
    received_ms = world.clock.now_ms()
    process = world.engine(rules=rules)
    process.run(round(LOG_RETURN_S) - 1)
    assert rules.judged_ms == received_ms - TICK_LATENESS_MS
    process.run(1)
    assert rules.judged_ms == world.clock.now_ms() - TICK_LATENESS_MS
    world.log.away = True
    with pytest.raises(Unavailable):
        process.run(1)
    world.log.away = False
    process.run(round(LOG_RETURN_S) - 1)
    assert rules.judged_ms == received_ms - TICK_LATENESS_MS
    process.run(1)
    assert rules.judged_ms == world.clock.now_ms() - TICK_LATENESS_MS


def test_a_partition_that_goes_while_alarms_wait_is_replayed_by_its_next_owner() -> None:
    world = World()
    world.send(*DRIVE)
    process = world.engine()
    world.crash_at = "store"
    with pytest.raises(Crash):
        process.run(1)
    process.stop()
    assert "checkpoint" not in world.effects
    world.engine().run(25)
    assert (world.spans(), world.archived()) == (SPANS, ARCHIVED)


def test_a_record_that_cannot_be_used_is_put_aside_with_its_reason_and_the_rest_goes_on() -> None:
    world = World()
    world.send(*DRIVE[:3])
    world.append(1, b"\x12\xff")
    world.append(0, bytes.fromhex("08011208") + (3).to_bytes(8, "little"))
    world.send(*DRIVE[3:])
    world.engine().run(15)
    assert sorted(reason for _, reason in world.buried) == ["DAMAGED", "DAMAGED"]
    assert (world.spans(), world.archived()) == (SPANS, ARCHIVED)


def test_a_vehicle_of_another_partition_is_poison() -> None:
    world = World()
    world.send((1, 10, 50))
    value = world.log.values("positions")[0]
    world.append(0, value)
    world.engine().run(2)
    assert world.buried == [(0, "FOREIGN_VEHICLE")]


def test_too_much_poison_stops_the_engine() -> None:
    world = World()
    for _ in range(60):
        world.append(1, b"\xff")
    with pytest.raises(TooMuchPoisonError):
        world.engine().run(2)


def test_a_checkpoint_holds_two_parts() -> None:
    assert unpacked(b"".join(packed(b"state", b"live"))) == (b"state", b"live")
    assert unpacked(b"".join(packed(b"", b""))) == (b"", b"")
    assert unpacked(None) == (None, b"")
    with pytest.raises(ValueError, match="cut off"):
        unpacked(b"".join(packed(b"state", b""))[:-1])
