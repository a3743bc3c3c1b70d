"""Messages put together from sub-packages, within bounds.

Contract. `Parts` is the whole state: what waits, for all links. Every function takes it and returns a new one. `joined`
takes the parts of one tick; the caller answers each by itself (0x8001 with its own serial), kept or not. `overdue`
says, from time to time, which parts to ask for again with 0x8003 and which messages to give up. `without_link` forgets
a link that has ended. Links are numbers that the caller gives and does not give twice.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np

from services.vehicle_tracking.terminals.jt808.columns import Decoded, Reason

PARTS_MAX = 255  # of one message; 0x8003 of 2013 can name no more
MESSAGES_MAX = 4096  # begun and not complete, of all links together; looked through for every part
LINK_MESSAGES_MAX = 4  # begun and not complete; a terminal sends one after the other
LINK_BYTES_MAX = 2 * PARTS_MAX * 1023
BYTES_MAX = 64 * 1024 * 1024  # of all links together
RESEND_AFTER_S = 10.0  # without another part; terminals send parts in one go
RESEND_TIMES_MAX = 3
GIVE_UP_AFTER_S = 60.0  # without another part


class Part(NamedTuple):
    """One sub-package. `header`: its row of the frames, copied, so that it holds beyond the tick."""

    link: int
    header: Any
    body: bytes


class Whole(NamedTuple):
    """A message that is complete. `header`: that of its first part, with the length of the whole body."""

    link: int
    header: Any
    body: bytes


class Missing(NamedTuple):
    """Parts to ask for again."""

    link: int
    header: Any
    first_serial: int
    part_indexes: tuple[int, ...]


class Dropped(NamedTuple):
    """Parts of one message that came to nothing."""

    link: int
    message_id: int
    part_count: int
    reason: Reason


class Key(NamedTuple):
    """What the parts of one message share: they carry consecutive serial numbers."""

    link: int
    message_id: int
    first_serial: int
    part_count: int


@dataclass(frozen=True, slots=True)
class Begun:
    """A message of which parts are missing. `bodies`: by part index."""

    header: Any
    bodies: Mapping[int, bytes]
    byte_count: int
    heard_s: float
    asked_count: int = 0


@dataclass(frozen=True, slots=True)
class Parts:
    """All messages begun, oldest first, and the bytes they hold."""

    begun: Mapping[Key, Begun] = field(default_factory=lambda: MappingProxyType({}))
    byte_count: int = 0


@dataclass(frozen=True, slots=True)
class Joined:
    """The new state, messages now complete, and what did not fit or was displaced."""

    parts: Parts
    whole: tuple[Whole, ...]
    dropped: tuple[Dropped, ...]


@dataclass(frozen=True, slots=True)
class Overdue:
    """The new state, parts to ask for again, and messages given up."""

    parts: Parts
    missing: tuple[Missing, ...]
    dropped: tuple[Dropped, ...]


def part(decoded: Decoded, row: int, *, link: int) -> Part:
    """Frame `row`, which is a sub-package, of the link that the caller knows as `link`."""
    return Part(link, decoded.frames[row].copy(), decoded.body(row))


def joined(parts: Parts, arrived: Iterable[Part], *, now_s: float) -> Joined:
    """Take the sub-packages of a tick. One that came before replaces itself."""
    begun = dict(parts.begun)
    whole: list[Whole] = []
    dropped: list[Dropped] = []
    byte_count = parts.byte_count
    for each in arrived:
        key = _key(each)
        now = _with(begun.get(key), each, now_s)
        if len(now.bodies) == key.part_count:
            byte_count -= _removed(begun, key)
            whole.append(_whole(key, now))
            continue
        for victim in _displaced(begun, key, now):
            dropped.append(_dropped(victim, begun[victim], Reason.PART_BOUNDS))
            byte_count -= _removed(begun, victim)
        held = begun[key].byte_count if key in begun else 0
        full = byte_count - held + now.byte_count > BYTES_MAX or (key not in begun and len(begun) >= MESSAGES_MAX)
        if full or key.part_count > PARTS_MAX:
            dropped.append(Dropped(each.link, key.message_id, 1, Reason.PART_BOUNDS))
            continue
        begun[key] = now
        byte_count += now.byte_count - held
    return Joined(Parts(MappingProxyType(begun), byte_count), tuple(whole), tuple(dropped))


def overdue(parts: Parts, *, now_s: float) -> Overdue:
    """Look at what has waited long."""
    begun = dict(parts.begun)
    missing: list[Missing] = []
    dropped: list[Dropped] = []
    byte_count = parts.byte_count
    for key, one in parts.begun.items():
        silent_s = now_s - one.heard_s
        if silent_s >= GIVE_UP_AFTER_S:
            dropped.append(_dropped(key, one, Reason.PART_TIMEOUT))
            byte_count -= _removed(begun, key)
        elif silent_s >= RESEND_AFTER_S * (one.asked_count + 1) and one.asked_count < RESEND_TIMES_MAX:
            indexes = tuple(index for index in range(1, key.part_count + 1) if index not in one.bodies)
            missing.append(Missing(key.link, one.header, key.first_serial, indexes))
            begun[key] = replace(one, asked_count=one.asked_count + 1)
    return Overdue(Parts(MappingProxyType(begun), byte_count), tuple(missing), tuple(dropped))


def without_link(parts: Parts, link: int) -> Parts:
    """Forget everything of a link."""
    begun = {key: one for key, one in parts.begun.items() if key.link != link}
    return Parts(MappingProxyType(begun), sum(one.byte_count for one in begun.values()))


def _key(each: Part) -> Key:
    header = each.header
    first_serial = (int(header["serial"]) - int(header["part_index"]) + 1) & 0xFFFF
    return Key(each.link, int(header["message_id"]), first_serial, int(header["part_count"]))


def _with(known: Begun | None, each: Part, now_s: float) -> Begun:
    bodies = {**(known.bodies if known else {}), int(each.header["part_index"]): each.body}
    first = each.header if known is None or each.header["part_index"] == 1 else known.header
    return Begun(first, bodies, sum(map(len, bodies.values())), now_s)


def _whole(key: Key, one: Begun) -> Whole:
    body = b"".join(one.bodies[index] for index in range(1, key.part_count + 1))
    header = np.array(one.header)  # a copy
    header["body_length"], header["serial"] = len(body), key.first_serial
    header["part_count"] = header["part_index"] = 0
    return Whole(key.link, header[()], body)


def _displaced(begun: Mapping[Key, Begun], key: Key, now: Begun) -> list[Key]:
    """The oldest messages of the link that must go, so that one more part fits its bounds."""
    others = [other for other in begun if other.link == key.link and other != key]
    byte_count = now.byte_count + sum(begun[other].byte_count for other in others)
    victims = []
    while others and (len(others) >= LINK_MESSAGES_MAX or byte_count > LINK_BYTES_MAX):
        victims.append(others.pop(0))
        byte_count -= begun[victims[-1]].byte_count
    return victims


def _removed(begun: dict[Key, Begun], key: Key) -> int:
    """Take a message out; how many bytes it held."""
    one = begun.pop(key, None)
    return one.byte_count if one else 0


def _dropped(key: Key, one: Begun, reason: Reason) -> Dropped:
    return Dropped(key.link, key.message_id, len(one.bodies), reason)
