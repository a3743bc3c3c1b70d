"""Browsers before a live table: whatever changes and whenever they listen, they end up with what is in view."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from xiangtong.tracking.v1.registry_service_pb2 import Vehicle

from services.gateway.adapters import live_browser
from services.gateway.adapters.live_browser import Browser, Encoder, Telling
from services.gateway.adapters.live_table import VEHICLE_ID_MAX, LiveTable
from services.gateway.convert.live import RECORD, View
from tests.gateway.live_frames import Frame, read

NOW_MS = 1_764_000_000_000
WEST = View(box_e7=(0, 0, 100, 100))
HAZMAT = View(kinds=frozenset({4}))


def put(table: LiveTable, places: dict[int, int]) -> list[int]:
    """Move vehicles (id → longitude); those the table does not know are kinds 1 and 4 by turns."""
    ids = np.array(sorted(places), np.int64)
    values: list[dict[str, Any]] = [
        {"vehicle_id": int(key), "plate": f"湘A{key}", "kind": 4 if key % 2 else 1, "region_code": "430100"}
        for key in table.unknown(ids)
    ]
    table.learn([Vehicle(**value) for value in values])
    records = np.zeros(len(ids), RECORD)
    records["longitude_e7"] = [places[int(key)] for key in ids]
    records["fix_time_ms"] = NOW_MS
    return [int(key) for key in table.take(ids, records)]


def frames(telling: Telling) -> list[Frame]:
    return [read(wire) for wire in telling.frames]


class Map:
    """What a browser shows after what it was told."""

    def __init__(self) -> None:
        self.places: dict[int, int] = {}
        self.plates: dict[int, str] = {}

    def hear(self, telling: Telling) -> None:
        if telling.text:
            rows = json.loads(telling.text)
            self.plates.update(zip(rows["vehicle_ids"], rows["plates"], strict=True))
        for frame in frames(telling):
            if frame.kind == 1:
                self.places.clear()
            self.places.update(zip(frame.ids, frame.columns["longitudes_e7"], strict=True))
            for key in frame.gone:
                self.places.pop(key, None)
        assert set(self.places) <= set(self.plates)


MOVES = st.dictionaries(st.integers(1, 12), st.integers(0, 200), max_size=5).map(lambda places: ("move", places))
STEPS = st.one_of(
    MOVES,
    st.sets(st.integers(1, 12), max_size=3).map(lambda ids: ("remove", ids)),
    st.sampled_from([View(), WEST, HAZMAT]).map(lambda view: ("look", view)),
    st.just(("listen", None)),
    st.just(("reconnect", None)),
)


@given(st.lists(STEPS, max_size=40))
@settings(max_examples=300, deadline=None)
def test_a_browser_shows_what_is_in_view_however_it_listens(steps: list[tuple[str, Any]]) -> None:
    table, truth = LiveTable(), dict[int, int]()
    encoder = Encoder(table)
    browser, screen = Browser(encoder, View()), Map()
    other, other_screen = Browser(encoder, View()), Map()  # shares the encoder, and listens all the time
    for step, what in [*steps, ("listen", None)]:
        if step == "move":
            put(table, what)
            truth |= what
        elif step == "remove":
            table.remove(np.array(sorted(what), np.int64))
            truth = {key: place for key, place in truth.items() if key not in what}
        elif step == "look":
            browser.look(what)
        elif step == "reconnect" and browser.since is not None:
            screen.hear(browser.next_telling(NOW_MS))  # a view is resumed with what was told of it
            browser = Browser(encoder, browser.view, since=browser.since)
        else:
            screen.hear(browser.next_telling(NOW_MS))
        other_screen.hear(other.next_telling(NOW_MS))
    view = browser.view
    seen = {
        key: place for key, place in truth.items() if (view != WEST or place <= 100) and (view != HAZMAT or key % 2)
    }
    assert screen.places == seen and other_screen.places == truth
    assert not browser.behind


def test_browsers_with_the_same_view_share_one_frame() -> None:
    table = LiveTable()
    encoder = Encoder(table)
    browsers = [Browser(encoder, View()) for _ in range(3)]
    put(table, {1: 5, 2: 6})
    first, second, third = (browser.next_telling(NOW_MS) for browser in browsers)
    assert first.frames[0] is second.frames[0] is third.frames[0] and first.text is second.text
    put(table, {2: 7})
    first, second = browsers[0].next_telling(NOW_MS), browsers[1].next_telling(NOW_MS)
    assert first.frames[0] is second.frames[0] and frames(first)[0].ids == [2]


def test_a_large_snapshot_comes_in_parts_of_which_only_the_last_can_be_resumed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live_browser, "FRAME_VEHICLES_MAX", 2)
    table = LiveTable()
    put(table, {key: key for key in range(1, 6)})
    parts = frames(Browser(Encoder(table), View()).next_telling(NOW_MS))
    assert [(part.kind, len(part.ids), int(part.number)) for part in parts] == [
        (1, 2, 0),
        (2, 2, 0),
        (2, 1, table.number),
    ]


def test_an_empty_table_is_a_snapshot_too() -> None:
    telling = Browser(Encoder(LiveTable()), View()).next_telling(NOW_MS)
    assert [(part.kind, part.ids) for part in frames(telling)] == [(1, [])] and frames(telling)[0].number > 0


def test_a_vehicle_told_again_though_nothing_moved_is_one_to_ask_the_register_about() -> None:
    table = LiveTable()
    assert put(table, {1: 5, 2: 6}) == []
    assert put(table, {1: 5, 2: 7}) == [1]


def test_a_vehicle_without_a_row_is_not_shown_and_ids_have_a_bound() -> None:
    table = LiveTable()
    ids = np.array([3, 0, -1, VEHICLE_ID_MAX], np.int64)
    table.take(ids, np.zeros(4, RECORD))
    assert table.unknown(ids).tolist() == [3] and table.size < 10_000
    assert frames(Browser(Encoder(table), View()).next_telling(NOW_MS))[0].ids == []


def test_a_row_that_did_not_change_is_no_change() -> None:
    table = LiveTable()
    put(table, {1: 5})
    before = table.number
    table.learn(table.rows([1]))
    assert table.number == before and table.plate(1) == "湘A1" and table.plate(2) == ""
