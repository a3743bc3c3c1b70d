"""Frames agree with the digest's self-made vectors, byte for byte."""

from __future__ import annotations

import struct

import pytest

from simulation import frames
from simulation.frames import Fix, FrameReader, Identity, Message

PHONE = "13900001111"


def test_a_heartbeat_is_the_published_vector() -> None:
    assert frames.frame(Identity(PHONE, "", 0), frames.HEARTBEAT, 1, b"").hex() == "7e0002000001390000111100013b7e"


def test_the_check_is_made_before_the_escapes() -> None:
    expected = "7e01020009013900001111007d02415554482d37443745687e"
    assert frames.frame(Identity(PHONE, "", 0), frames.AUTHENTICATE, 0x7E, b"AUTH-7D7E").hex() == expected


def test_a_2019_authentication_carries_imei_and_version() -> None:
    body = frames.authenticate_body(Identity("14412345678901", "", 0, 2019), "CODE")
    assert body[:5] == b"\x04CODE"
    assert body[5:20] == b"014412345678901"
    assert body[20:] == b"SIM1" + bytes(16)


def test_the_2019_header_is_the_published_one() -> None:
    sent = frames.frame(Identity("14412345678901", "", 0, 2019), frames.AUTHENTICATE, 3, b"x")
    assert sent.hex().startswith("7e010240010100000014412345678901" + "0003")


def test_a_location_body_has_the_fields_of_the_standard() -> None:
    fix = Fix(1715905815000, 1163975000, 399087000, 873, 270, 52, 2, 0x40003, 1234567)
    body = frames.location_body(fix)
    published = "00000002000400030260f55c06f015bc00340369010e240517083015" + "01040012d687"  # the digest's own vector
    assert body.hex().startswith(published + "03020369")


def test_the_southern_and_western_hemispheres_are_status_bits() -> None:
    body = frames.location_body(Fix(0, -1163975000, -399087000, 0, 0, -154, 0, frames.STATUS_POSITIONED))
    assert struct.unpack_from(">IIIh", body, 4) == (0b1110, 39908700, 116397500, -154)


@pytest.mark.parametrize(("edition", "colour_at"), [(2011, 24), (2013, 36), (2019, 75)])
def test_a_registration_puts_the_plate_where_its_edition_wants_it(edition: int, colour_at: int) -> None:
    body = frames.register_body(Identity(PHONE, "湘A00001", 2, edition, "433100"))
    assert struct.unpack_from(">HH", body) == (43, 3100)
    assert body[colour_at] == 2
    assert body[colour_at + 1 :].rstrip(b"\0").decode("gbk") == "湘A00001"


def test_a_full_batch_fits_one_frame() -> None:
    fix = Fix(0, 1163975000, 399087000, 873, 270, 52, 2, 3, 1234567)
    body = frames.batch_body([fix] * frames.BATCH_FIXES_MAX, frames.BATCH_BLIND_AREA)
    assert len(body) <= frames.BODY_BYTES_MAX
    assert body[:3] == bytes((0, frames.BATCH_FIXES_MAX, 1))


def test_answers_are_read_however_the_stream_is_cut() -> None:
    answer = frames.frame(Identity(PHONE, "", 0), frames.GENERAL_ANSWER, 5, struct.pack(">HHB", 0x7E7D, 0x0200, 0))
    modern = frames.frame(Identity(PHONE, "", 0, 2019), frames.REGISTER_ANSWER, 6, b"\x00\x01\x00CODE")
    reader = FrameReader()
    messages = [m for byte in answer + modern for m in reader.feed(bytes((byte,)))]
    assert [m.message_id for m in messages] == [frames.GENERAL_ANSWER, frames.REGISTER_ANSWER]
    assert frames.general_answer(messages[0].body) == (0x7E7D, 0x0200, 0)
    assert frames.register_answer(messages[1].body) == (1, 0, "CODE")


def test_a_wrong_check_is_counted_and_the_next_frame_is_read() -> None:
    good = frames.frame(Identity(PHONE, "", 0), frames.GENERAL_ANSWER, 5, bytes(5))
    reader = FrameReader()
    assert reader.feed(good[:5] + b"\x55" + good[6:] + good) == [Message(frames.GENERAL_ANSWER, 5, bytes(5))]
    assert reader.damaged_count == 1


def test_a_peer_that_sends_no_frames_is_refused() -> None:
    with pytest.raises(ValueError, match="address of the access role"):
        FrameReader().feed(b"x" * (frames.BUFFER_BYTES_MAX + 1))


@pytest.mark.parametrize("body", ["0007" + "02" + "00010003", "0007" + "0002" + "00010003"])
def test_wanted_parts_are_read_with_either_count(body: str) -> None:
    assert frames.resend_parts(bytes.fromhex(body)) == (7, (1, 3))
