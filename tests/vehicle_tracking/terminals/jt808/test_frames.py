"""Frames of the standard and damaged ones: what comes out of a stream, however it is cut and on how many links."""

from __future__ import annotations

import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.vehicle_tracking.terminals.jt808.columns import FRAME_BYTES_MAX, Decoded, Item, Reason
from services.vehicle_tracking.terminals.jt808.frames import Room, decode, decode_bodies, decode_one
from simulation import frames
from simulation.frames import Fix, Identity

HEARTBEAT = "7e0002000001390000111100013b7e"
AUTHENTICATE = "7e01020009013900001111007d02415554482d37443745687e"
LOCATION = (
    "7e02000033013900001111020300000002000400030260f55c06f015bc00340369010e24051708301501040012d687"
    "030203661105040000006530011f31010e947e"
)
LOCATION_2019 = (
    "7e020040370100000014412345678901020400000002000400030260f55c06f015bc00340369010e24051708301501040012d687"
    "030203661105040000006530011f31010e0602800cba7e"
)
BASE = bytes.fromhex("00000000000000030260f55c06f015bc000000000000240517083015")


def framed(message_id: int, body: bytes = b"", *, edition: int = 2013, part: tuple[int, int] | None = None) -> bytes:
    return frames.frame(Identity("13900001111", "", 0, edition), message_id, 7, body, part=part)


def spoilt(wire: bytes, place: int, octet: int) -> bytes:
    return wire[:place] + bytes((octet,)) + wire[place + 1 :]


def reasons(decoded: Decoded) -> list[str]:
    return [Reason(reason).name for reason in decoded.rejections["reason"].tolist()]


def said(decoded: Decoded, *, link: int | None = None) -> list[tuple[object, ...]]:
    """Everything that does not depend on where the bytes stood, in order."""
    rows = []
    for frame in decoded.frames if link is None else decoded.frames[decoded.frames["link"] == link]:
        start, first = int(frame["body_start"]), int(frame["first_location"])
        body = decoded.content[start : start + int(frame["body_length"])].tobytes()
        header = [frame[name].item() for name in ("phone", "message_id", "serial", "version", "is_2019", "reason")]
        places = decoded.locations[first : first + int(frame["location_count"])]
        columns = [places[name].tolist() for name in places.dtype.names or () if not name.endswith(("start", "frame"))]
        rows.append((*header, body, columns))
    return rows


def test_the_published_heartbeat_and_authentication_are_read() -> None:
    decoded = decode_one(bytes.fromhex(HEARTBEAT + AUTHENTICATE))
    assert decoded.frames["message_id"].tolist() == [0x0002, 0x0102]
    assert decoded.frames["phone"].tolist() == [13900001111] * 2
    assert decoded.frames["serial"].tolist() == [1, 0x7E]
    assert (decoded.body(0), decoded.body(1), decoded.frame_count) == (b"", b"AUTH-7D7E", 2)


@pytest.mark.parametrize(
    ("wire", "phone", "is_2019"), [(LOCATION, 13900001111, False), (LOCATION_2019, 14412345678901, True)]
)
def test_the_published_locations_are_read_field_by_field(wire: str, phone: int, is_2019: bool) -> None:
    decoded = decode_one(bytes.fromhex(wire))
    (frame,), (place,) = decoded.frames, decoded.locations
    assert (frame["phone"], frame["is_2019"], frame["version"], frame["location_count"]) == (phone, is_2019, is_2019, 1)
    assert place["fix_time_ms"] == 1715905815000  # 2024-05-17 08:30:15 +08:00
    assert (place["longitude_e7"], place["latitude_e7"], place["altitude_m"]) == (1163975000, 399087000, 52)
    assert (place["speed_01kmh"], place["heading_deg"]) == (873, 270)
    assert (place["alarm_word"], place["status_word"]) == (2, 0x40003)
    assert (place["odometer_01km"], place["recorder_speed_01kmh"]) == (1234567, 870)
    assert (place["overspeed_area_kind"], place["overspeed_area_id"]) == (4, 101)
    assert (place["signal_strength"], place["satellites"]) == (31, 14)
    assert place["cabin_temperature_c"] == (-12 if is_2019 else 0)
    assert bool(place["items"] >> Item.CABIN_TEMPERATURE & 1) is is_2019
    assert not place["items"] >> Item.UNREAD & 1


REJECTED = {
    "SHORT": bytes.fromhex("7e0002000001390000111107d37e"),
    "TOO_LONG": b"\x7e" + bytes(FRAME_BYTES_MAX + 1) + b"\x7e",
    "ESCAPE": b"\x7e\x00\x02\x7d\x03" + bytes(12) + b"\x7e",
    "CHECKSUM": spoilt(bytes.fromhex(HEARTBEAT), 13, 0x3C),
    "LENGTH_MISMATCH": frames.enclosed(bytes.fromhex("000200010139000011110001")),
    "PHONE": frames.enclosed(bytes.fromhex("0002000001390000111a0001")),
    "ENCRYPTED": frames.enclosed(bytes.fromhex("02000401013900001111000100")),
    "BODY_SHORT": framed(0x0200, BASE[:27]),
    "BCD_TIME": framed(0x0200, BASE[:23] + b"\x13" + BASE[24:]),
    "COORDINATE": framed(0x0200, BASE[:8] + b"\x7f" + BASE[9:]),
    "PART_INDEX": framed(0x0704, b"x", part=(2, 3)),
    "BATCH_ITEM": framed(0x0704, b"\0\2\0" + b"\0\x1c" + BASE + b"\0\x1d" + BASE),
}


@pytest.mark.parametrize("reason", REJECTED)
def test_each_reason_is_given_once_and_the_next_frame_is_read(reason: str) -> None:
    decoded = decode_one(REJECTED[reason] + bytes.fromhex(LOCATION))
    assert reasons(decoded) == [reason]
    assert decoded.rejection_counts() == {reason: 1}
    assert decoded.frames["message_id"][-1] == 0x0200
    assert decoded.frames["reason"][-1] == 0
    assert decoded.locations["odometer_01km"][-1] == 1234567


def test_every_reason_of_the_decoder_has_an_example() -> None:
    of_parts = {"PART_BOUNDS", "PART_TIMEOUT"}  # test_parts.py has them
    assert set(REJECTED) == {reason.name for reason in Reason} - of_parts


def test_a_frame_whose_body_is_no_use_can_still_be_answered() -> None:
    decoded = decode_one(REJECTED["BCD_TIME"])
    assert (decoded.frames["serial"].tolist(), decoded.frames["reason"].tolist()) == ([7], [Reason.BCD_TIME])
    assert len(decoded.locations) == 0


def test_every_single_damaged_bit_is_rejected_or_leaves_no_frame() -> None:
    wire = bytes.fromhex(LOCATION)
    for place in range(1, len(wire) - 1):
        for bit in range(8):
            decoded = decode_one(spoilt(wire, place, wire[place] ^ 1 << bit))
            assert len(decoded.locations) == 0, (place, bit)
            assert decoded.frame_count == len(decoded.frames) + len(decoded.rejections)


@pytest.mark.parametrize(
    "between",
    ["", "00", "7e", "7e7e", "ff7e", "7e00", "7d", "7d7d", "7e7d7e", "474554202f20485454502f312e31"],
    ids=lambda hexes: hexes or "nothing",
)
def test_frames_are_found_again_after_stray_bytes(between: str) -> None:
    decoded = decode_one(bytes.fromhex(HEARTBEAT + between + LOCATION + between + HEARTBEAT))
    assert decoded.frames["message_id"].tolist() == [0x0002, 0x0200, 0x0002]


def test_one_delimiter_may_end_a_frame_and_begin_the_next() -> None:
    decoded = decode_one(bytes.fromhex(HEARTBEAT + LOCATION[2:] + HEARTBEAT[2:]))
    assert (len(decoded.frames), decoded.frame_count, len(decoded.rejections)) == (3, 3, 0)


def test_what_stands_before_the_first_delimiter_is_no_frame() -> None:
    decoded = decode_one(b"(013612345678BR00)" + bytes.fromhex(LOCATION))
    assert (len(decoded.frames), len(decoded.rejections)) == (1, 0)


def test_a_stream_that_begins_within_a_frame_is_found_from_the_second_frame_on() -> None:
    decoded = decode_one(bytes.fromhex(LOCATION)[10:] + bytes.fromhex(HEARTBEAT + HEARTBEAT))
    assert len(decoded.frames) == 2


@pytest.mark.parametrize("edition", [2013, 2019])
def test_the_lengths_decide_the_edition_where_bit_14_lies(edition: int) -> None:
    wire = frames.frame(Identity("13900001111", "", 0, edition), 0x0200, 7, BASE)
    content = bytearray(wire[1:-2].replace(b"\x7d\x02", b"\x7e").replace(b"\x7d\x01", b"\x7d"))
    content[2] ^= 0x40
    decoded = decode_one(frames.enclosed(bytes(content)))
    assert decoded.frames["is_2019"].tolist() == [edition == 2019]
    assert decoded.frames["phone"].tolist() == [13900001111]
    assert len(decoded.locations) == 1


def test_a_part_keeps_its_place_and_is_not_read_as_a_whole() -> None:
    decoded = decode_one(framed(0x0200, BASE, part=(3, 2)) + framed(0x0200, BASE, edition=2019, part=(3, 3)))
    assert decoded.frames["part_count"].tolist() == [3, 3]
    assert decoded.frames["part_index"].tolist() == [2, 3]
    assert [decoded.body(row) for row in (0, 1)] == [BASE, BASE]
    assert len(decoded.locations) == 0


def test_a_message_put_together_is_read_as_if_it_had_come_whole() -> None:
    fixes = [Fix(1715905815000 + 1000 * k, 1129000000, 281000000, 600, 90, 60, 2, 3, 1000 + k) for k in range(18)]
    body = frames.batch_body(fixes, frames.BATCH_BLIND_AREA)
    parted = decode_one(framed(0x0704, body[:500], part=(2, 1)))
    joined, whole = decode_bodies(parted.frames, [body]), decode_one(framed(0x0704, body))
    ignored = {"item_start", "tyre_start", "frame"}
    for name in set(whole.locations.dtype.names or ()) - ignored:
        assert joined.locations[name].tolist() == whole.locations[name].tolist(), name
    assert joined.frames["location_count"].tolist() == [18]


def test_a_wrong_item_of_a_batch_is_rejected_alone() -> None:
    wrong = BASE[:22] + b"\xff" + BASE[23:]
    items = b"".join(len(body).to_bytes(2, "big") + body for body in (BASE, wrong, BASE[:5], BASE))
    decoded = decode_one(framed(0x0704, b"\0\4\1" + items))
    assert reasons(decoded) == ["BCD_TIME", "BODY_SHORT"]
    assert (len(decoded.locations), decoded.frames["reason"].tolist()) == (2, [0])
    assert decoded.locations["source"].tolist() == [2, 2]


def test_a_batch_of_nothing_but_wrong_items_is_a_bad_message() -> None:
    decoded = decode_one(framed(0x0704, b"\0\1\0\0\x05" + BASE[:5]))
    assert decoded.frames["reason"].tolist() == [Reason.BODY_SHORT]


def test_nothing_of_an_earlier_call_stays_in_reused_memory() -> None:
    room = Room()
    rich, plain = bytes.fromhex(LOCATION_2019) * 50, framed(0x0200, BASE) * 50
    decode(rich, np.array([len(rich)], np.int64), np.zeros(1, np.bool_), room=room)
    decoded = decode(plain, np.array([len(plain)], np.int64), np.zeros(1, np.bool_), room=room)
    alone = decode_one(plain)
    assert decoded.locations.tobytes() == alone.locations.tobytes()
    assert not decoded.locations["alarm_word"].any()
    assert not decoded.locations["items"].any()
    assert not decoded.locations["cabin_temperature_c"].any()


def test_the_rest_of_a_frame_that_never_ends_does_not_grow() -> None:
    opened, rest, rejected = np.zeros(1, np.bool_), b"", []
    for chunk in [b"\x7e" + bytes(4000), *[bytes(4000)] * 20, b"\x7e", bytes.fromhex(HEARTBEAT)]:
        decoded = decode(rest + chunk, np.array([len(rest + chunk)], np.int64), opened)
        rest = (rest + chunk)[int(decoded.rest_starts[0]) :]
        assert len(rest) <= FRAME_BYTES_MAX + 1
        rejected += reasons(decoded)
    assert (rejected, len(decoded.frames)) == (["TOO_LONG"], 1)


def mixed(rng: random.Random) -> bytes:
    """Frames of all kinds, some damaged, with junk between them."""
    pieces = [bytes.fromhex(wire) for wire in (HEARTBEAT, AUTHENTICATE, LOCATION, LOCATION_2019)] + list(
        REJECTED.values()
    )
    chosen = [rng.choice(pieces) for _ in range(rng.randrange(12))]
    return b"".join(piece + rng.randbytes(rng.choice((0, 0, 0, 3))) for piece in chosen)


@pytest.mark.parametrize("seed", range(20))
def test_a_stream_cut_anywhere_says_what_the_whole_says(seed: int) -> None:
    rng = random.Random(seed)
    stream = mixed(rng)
    whole = decode_one(stream)
    opened, rest, pieces, rejected, at = np.zeros(1, np.bool_), b"", [], [], 0
    while at < len(stream):
        size = rng.choice((1, 2, 5, 40, 300))
        chunk = rest + stream[at : at + size]
        decoded = decode(chunk, np.array([len(chunk)], np.int64), opened)
        pieces += said(decoded)
        rejected += reasons(decoded)
        rest = chunk[int(decoded.rest_starts[0]) :]
        at += size
    assert pieces == said(whole)
    assert sorted(rejected) == sorted(reasons(whole))


@pytest.mark.parametrize("seed", range(20))
def test_many_links_in_one_call_say_what_each_says_alone(seed: int) -> None:
    rng = random.Random(seed)
    streams = [mixed(rng)[: rng.choice((None, 50, 0))] for _ in range(30)]
    ends = np.cumsum([len(stream) for stream in streams], dtype=np.int64)
    opened = np.zeros(len(streams), np.bool_)
    together = decode(b"".join(streams), ends, opened)
    for link, stream in enumerate(streams):
        alone = decode_one(stream)
        assert said(together, link=link) == said(alone)
        mine = together.rejections[together.rejections["link"] == link]
        assert mine["reason"].tolist() == alone.rejections["reason"].tolist()
        assert ends[link] - together.rest_starts[link] == len(stream) - alone.rest_starts[0]


@settings(deadline=None)  # the first call loads compiled code
@given(
    fix=st.builds(
        Fix,
        fix_time_ms=st.integers(946_656_000, 4_102_415_999).map(lambda s: s * 1000),  # 2000 to 2099 in GMT+8
        longitude_e7=st.integers(-180_000_000, 180_000_000).map(lambda e6: e6 * 10),
        latitude_e7=st.integers(-90_000_000, 90_000_000).map(lambda e6: e6 * 10),
        speed_01kmh=st.integers(0, 65535),
        heading_deg=st.integers(0, 65535),
        altitude_m=st.integers(-32768, 32767),
        alarm_word=st.integers(0, 2**32 - 1),
        status_word=st.integers(0, 2**32 - 1),
        odometer_01km=st.integers(-1, 2**32 - 1),
    ),
    phone=st.integers(1, 10**12 - 1),
    edition=st.sampled_from((2013, 2019)),
    serial=st.integers(0, 65535),
)
def test_reading_gives_back_what_was_written(fix: Fix, phone: int, edition: int, serial: int) -> None:
    wire = frames.frame(Identity(f"{phone}", "", 0, edition), 0x0200, serial, frames.location_body(fix))
    decoded = decode_one(wire)
    (frame,), (place,) = decoded.frames, decoded.locations
    assert (frame["phone"], frame["serial"], frame["is_2019"]) == (phone, serial, edition == 2019)
    for name in ("fix_time_ms", "longitude_e7", "latitude_e7", "speed_01kmh", "heading_deg", "altitude_m"):
        assert place[name] == getattr(fix, name), name
    hemispheres = (4 if fix.latitude_e7 < 0 else 0) | (8 if fix.longitude_e7 < 0 else 0)
    assert int(place["status_word"]) & 0xFFFFFFFF == fix.status_word & ~12 | hemispheres
    assert int(place["alarm_word"]) & 0xFFFFFFFF == fix.alarm_word
    assert bool(place["items"] & 1 << Item.ODOMETER) is (fix.odometer_01km >= 0)
    assert place["odometer_01km"] == max(fix.odometer_01km, 0)


@settings(deadline=None)
@given(st.binary(max_size=1023))
def test_any_body_comes_out_as_it_went_in(body: bytes) -> None:
    for edition in (2013, 2019):
        decoded = decode_one(framed(0x0900, body, edition=edition))
        assert (decoded.body(0), len(decoded.rejections)) == (body, 0)


@settings(deadline=None)
@given(st.lists(st.binary(max_size=80), max_size=6))
def test_any_bytes_are_frames_or_rejections_and_nothing_else(chunks: list[bytes]) -> None:
    ends = np.cumsum([len(chunk) for chunk in chunks], dtype=np.int64)
    decoded = decode(b"".join(chunks), ends, np.zeros(len(chunks), np.bool_))
    unread = np.count_nonzero(decoded.frames["reason"])
    assert decoded.frame_count == len(decoded.frames) + len(decoded.rejections) - unread
