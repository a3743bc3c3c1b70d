"""News of alarms: what follows a number, and the snapshot when that is not known."""

from __future__ import annotations

import json
from typing import Any

import pytest

from services.gateway.adapters import alarm_news
from services.gateway.adapters.alarm_news import AlarmNews


def alarm(alarm_id: str, raised: int = 0, state: str = "open") -> dict[str, Any]:
    return {"alarm_id": alarm_id, "raise_time_ms": raised, "state": state}


def told(texts: list[str]) -> list[tuple[bool, list[str]]]:
    messages = [json.loads(text) for text in texts]
    return [(message["snapshot"], [a["alarm_id"] for a in message["alarms"]]) for message in messages]


def test_who_is_new_gets_the_open_alarms_newest_first() -> None:
    news = AlarmNews()
    news.restart([alarm("a", 1), alarm("b", 3)])
    news.take([alarm("c", 2)])
    assert told(news.after(None)) == [(True, ["b", "c", "a"])]


def test_an_acknowledged_alarm_is_news_and_then_no_longer_open() -> None:
    news = AlarmNews()
    news.take([alarm("a")])
    number = news.number
    news.take([alarm("a", state="acknowledged")])
    assert told(news.after(number)) == [(False, ["a"])] and told(news.after(None)) == [(True, [])]
    assert news.after(news.number) == []


def test_who_lags_too_far_behind_begins_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(alarm_news, "RECENT_MAX", 2)
    news = AlarmNews()
    start = news.number
    for name in "abc":
        news.take([alarm(name)])
    assert [snapshot for snapshot, _ in told(news.after(start))] == [True]
    assert told(news.after(start + 1)) == [(False, ["b"]), (False, ["c"])]
    assert [snapshot for snapshot, _ in told(news.after(news.number + 5))] == [True]


def test_after_a_gap_everybody_begins_anew() -> None:
    news = AlarmNews()
    news.take([alarm("a")])
    number = news.number
    news.restart([alarm("b")])
    assert told(news.after(number)) == [(True, ["b"])]


def test_open_alarms_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(alarm_news, "OPEN_MAX", 3)
    monkeypatch.setattr(alarm_news, "SNAPSHOT_MAX", 2)
    news = AlarmNews()
    for number in range(5):
        news.take([alarm(str(number), number)])
    assert told([news.snapshot()]) == [(True, ["4", "3"])]
