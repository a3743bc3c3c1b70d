"""Messages of exit records say what their lines say."""

from __future__ import annotations

import json
from datetime import datetime

import numpy as np

from simulation.toll_exits import exit_lines, exit_names
from simulation.toll_messages import exit_message_of, exit_messages
from simulation.toll_truth import charged
from tests.simulation.toll_world import COUNT, world

NETWORK, _, TARIFF, TRIPS = world()
NAMES = exit_names(TRIPS, NETWORK)
FEES_FEN = charged(TRIPS, TARIFF).charges_fen
TEXTS = {
    "exit_id": "exit_ids",
    "pass_id": "pass_ids",
    "card_id": "card_ids",
    "issuer_id": "issuer_ids",
    "plate": "plates",
    "entry_station_id": "entry_station_ids",
}
NUMBERS = ("plate_colour", "axle_count", "seat_count", "media_type", "pay_type", "vehicle_type")


def test_calls_hold_every_trip_once_in_its_order() -> None:
    calls = list(exit_messages(TRIPS, NETWORK, NAMES, FEES_FEN, size=2_500))
    assert [len(call.exit_ids) for call in calls] == [2_500, 2_500, COUNT - 5_000]
    assert [name for call in calls for name in call.exit_ids] == NAMES.exit_ids.astype(str).tolist()


def test_a_message_says_what_the_lines_say() -> None:
    lines = [json.loads(line) for chunk in exit_lines(TRIPS, NETWORK, NAMES, FEES_FEN) for line in chunk]
    rows = np.arange(COUNT)[::-1][:500]
    call, at = exit_message_of(TRIPS, NETWORK, NAMES, FEES_FEN, rows), 0
    for n, row in enumerate(rows.tolist()):
        line, after = lines[row], at + call.interval_counts[n]
        for name, column in TEXTS.items():
            assert getattr(call, column)[n] == line[name]
        for name in NUMBERS:
            assert getattr(call, f"{name}s")[n] == line[name]
        assert (call.vehicle_classes[n], call.fee_classes[n], call.fees_fen[n]) == (
            line["vehicle_class"], line["fee_class"], line["fee_fen"],
        )  # fmt: skip
        assert [call.interval_ids[index] for index in call.interval_indexes[at:after]] == [
            one["interval_id"] for one in line["intervals"]
        ]
        assert call.interval_times_ms[at:after] == [_ms(one["pass_time"]) for one in line["intervals"]]
        assert (call.entry_times_ms[n], call.exit_times_ms[n]) == (_ms(line["entry_time"]), _ms(line["exit_time"]))
        at = after


def _ms(text: str) -> int:
    return int(datetime.fromisoformat(text).timestamp() * 1000)
