"""Locations become positions with nothing lost: units, sources, items as they came, vehicles by phone."""

from __future__ import annotations

import numpy as np

from services.vehicle_tracking.domain.positions import ABSENT
from services.vehicle_tracking.terminals.jt808.frames import Room, decode, decode_one
from services.vehicle_tracking.terminals.jt808.positions import positions
from simulation import frames
from simulation.frames import Fix, Identity

FIX = Fix(1715905815000, 1163975000, -399087000, 873, 270, -52, 2, 0x40003, 1234567)
TERMINAL = Identity("13900001111", "", 0)
BASE = bytes.fromhex("00000000000000030260f55c06f015bc000000000000240517083015")


def test_every_column_keeps_its_unit() -> None:
    wire = frames.frame(TERMINAL, 0x0200, 1, frames.location_body(FIX))
    batch = positions(decode_one(wire), np.array([77]), received_time_ms=5)
    assert (batch.received_time_ms, batch.vehicle_ids.tolist(), batch.fix_times_ms.tolist()) == (
        5,
        [77],
        [FIX.fix_time_ms],
    )
    assert (batch.longitudes_e7.tolist(), batch.latitudes_e7.tolist()) == ([1163975000], [-399087000])
    assert (batch.speeds_01kmh.tolist(), batch.headings_deg.tolist(), batch.altitudes_m.tolist()) == (
        [873],
        [270],
        [-52],
    )
    assert (batch.alarm_words.tolist(), batch.status_words.tolist()) == ([2], [0x40007])
    assert (batch.odometers_01km.tolist(), batch.recorder_speeds_01kmh.tolist()) == ([1234567], [873])
    assert batch.sources.tolist() == [1]


def test_items_that_did_not_come_are_absent_and_unknown_ones_go_along() -> None:
    tails = [b"", b"\xe1\x02\xab\xcd", b"\x01\x04\xff\xff\xff\xff", b"\x14\x04\x80\0\0\1\x99"]
    wire = b"".join(frames.frame(TERMINAL, 0x0200, 1, BASE + tail) for tail in tails)
    batch = positions(decode_one(wire), np.full(4, 7), received_time_ms=0)
    assert batch.odometers_01km.tolist() == [ABSENT, ABSENT, 2**31 - 1, ABSENT]
    assert batch.recorder_speeds_01kmh.tolist() == [ABSENT] * 4
    assert batch.video_alarm_words.tolist() == [0, 0, 0, 1 - 2**31]
    assert batch.item_lengths.tolist() == [len(tail) for tail in tails]
    assert batch.item_blob == b"".join(tails)


def test_blind_area_uploads_are_marked_and_ordinary_batches_are_not() -> None:
    wire = b"".join(frames.frame(TERMINAL, 0x0704, 1, frames.batch_body([FIX, FIX], kind)) for kind in (0, 1))
    batch = positions(decode_one(wire), np.array([7, 8]), received_time_ms=0)
    assert (batch.sources.tolist(), batch.vehicle_ids.tolist()) == ([1, 1, 2, 2], [7, 7, 8, 8])


def test_frames_without_a_vehicle_are_left_out_with_their_items() -> None:
    wire = b"".join(frames.frame(TERMINAL, 0x0200, 1, BASE + bytes((0xE1, 1, mark))) for mark in (1, 2, 3))
    batch = positions(decode_one(wire), np.array([5, 0, 6]), received_time_ms=0)
    assert (batch.vehicle_ids.tolist(), batch.item_blob) == ([5, 6], b"\xe1\x01\x01\xe1\x01\x03")


def test_no_locations_are_an_empty_batch() -> None:
    batch = positions(decode_one(frames.frame(TERMINAL, 0x0002, 1, b"")), np.array([5]), received_time_ms=0)
    assert (len(batch), batch.item_blob) == (0, b"")


def test_a_batch_holds_when_the_decoders_memory_is_used_again() -> None:
    room, wire = Room(), frames.frame(TERMINAL, 0x0200, 1, frames.location_body(FIX))
    end, opened = np.array([len(wire)]), np.zeros(1, np.bool_)
    batch = positions(decode(wire, end, opened.copy(), room=room), np.array([77]), received_time_ms=5)
    other = frames.frame(TERMINAL, 0x0200, 1, frames.location_body(FIX._replace(longitude_e7=0, odometer_01km=1)))
    decode(other, np.array([len(other)]), opened, room=room)
    assert (batch.longitudes_e7.tolist(), batch.odometers_01km.tolist()) == ([1163975000], [1234567])
    assert batch.item_blob[:6] == b"\x01\x04\x00\x12\xd6\x87"
