"""Charges in words, Chinese and English."""

from __future__ import annotations

import pytest

from services.etc_billing.domain.explanation import REASONS, Language, explanation, refusal, yuan
from services.etc_billing.domain.rating import Reason, rate, rules_of
from tests.etc_billing.passage_tables import USUAL, Row, passages, tariff

RULES = rules_of(USUAL)


def explained(row: Row, language: Language, rules: object = None) -> list[str]:
    charges = rate(passages(row), tariff(9_274), RULES)
    known = RULES if rules is None else rules_of(())
    lines = charges.trace.lines_of(0)
    return explanation(lines, interval_count=len(row.intervals), rules=known, language=language)


def test_every_rule_is_told_in_english() -> None:
    assert explained(Row(vehicle_class=21), Language.EN) == [
        "tariff: 1 toll intervals, together 92.74 yuan",
        "etc_passenger: 92.74 → 88.10 yuan",
        "green_passage: 88.10 → 0.00 yuan",
        "due: 0.00 yuan",
    ]


def test_every_rule_is_told_in_chinese() -> None:
    assert explained(Row(media=2), Language.ZH) == [
        "费率表：1 个收费单元合计 92.74 元",
        "示例whole_yuan：92.74 → 93.00 元",
        "应交 93.00 元",
    ]


def test_a_rejection_says_what_to_do() -> None:
    told = refusal(Reason.UNKNOWN_INTERVAL, Language.EN)
    assert told == "no charge: some interval is not in the network; check its id or bring the tariff up to date"
    assert refusal(Reason.NO_INTERVALS, Language.ZH) == "不能计费：通行没有收费单元；请补传门架或拟合结果"


def test_a_rule_that_is_gone_is_told_by_its_code() -> None:
    assert "rule 2 (no longer in the rules): 92.74 → 88.10 yuan" in explained(Row(), Language.EN, rules=())


def test_every_reason_has_words() -> None:
    assert set(REASONS) == set(Reason) - {Reason.NONE}


@pytest.mark.parametrize(("fen", "words"), [(0, "0.00"), (5, "0.05"), (9_274, "92.74"), (-150, "-1.50")])
def test_fen_are_told_as_yuan(fen: int, words: str) -> None:
    assert yuan(fen) == words
