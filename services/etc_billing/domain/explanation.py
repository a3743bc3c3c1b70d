"""A charge in words, Chinese or English: what the tariff asked, what each rule made of it, or why there is none."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum

from services.etc_billing.domain.money import YUAN_FEN
from services.etc_billing.domain.rating import TARIFF_CODE, RatingRules, Reason


class Language(StrEnum):
    """What an explanation is written in."""

    ZH = "zh"
    EN = "en"


_PRICED = {
    Language.ZH: "费率表：{count} 个收费单元合计 {after} 元",
    Language.EN: "tariff: {count} toll intervals, together {after} yuan",
}
_APPLIED = {Language.ZH: "{name}：{before} → {after} 元", Language.EN: "{name}: {before} → {after} yuan"}
_DUE = {Language.ZH: "应交 {after} 元", Language.EN: "due: {after} yuan"}
_REJECTED = {Language.ZH: "不能计费：{why}", Language.EN: "no charge: {why}"}
_FORMER = {Language.ZH: "规则 {code}（规则表已无此号）", Language.EN: "rule {code} (no longer in the rules)"}
REASONS = {
    Reason.NO_INTERVALS: (
        "通行没有收费单元；请补传门架或拟合结果",
        "the passage has no toll intervals; send what gantries or the fitting found",
    ),
    Reason.UNKNOWN_VEHICLE_TYPE: (
        "车型不在 JT/T 489-2019 的 1–4、11–16、21–26 之内",
        "the vehicle type is none of JT/T 489-2019: 1–4, 11–16, 21–26",
    ),
    Reason.UNKNOWN_FEE_CLASS: (
        "出口计费方式不是 1–6 或 11",
        "the fee class is none of 1–6 and 11",
    ),
    Reason.NO_TARIFF_IN_FORCE: (
        "出口时间早于费率表的第一个版本",
        "the exit time is before the tariff's first version",
    ),
    Reason.UNKNOWN_INTERVAL: (
        "有收费单元不在路网中；请检查编号或更新费率表",
        "some interval is not in the network; check its id or bring the tariff up to date",
    ),
    Reason.NO_PRICE: (
        "费率表缺少某个收费单元对此车型的价格；请补齐费率表",
        "the tariff has no price of some interval for this vehicle type; complete the tariff",
    ),
}


def explanation(
    trace_lines: Sequence[tuple[int, int, int]], *, interval_count: int, rules: RatingRules, language: Language
) -> list[str]:
    """The words for the trace lines (code, before, after) of a charge, whose passage has `interval_count` intervals."""
    names = {rule.code: rule.name_zh if language is Language.ZH else rule.name_en for rule in rules.rules}
    lines = []
    for code, before, after in trace_lines:
        words = _PRICED if code == TARIFF_CODE else _APPLIED
        name = names.get(code) or _FORMER[language].format(code=code)
        amounts = {"before": yuan(before), "after": yuan(after)}
        lines.append(words[language].format(name=name, count=interval_count, **amounts))
    return [*lines, _DUE[language].format(after=yuan(trace_lines[-1][2]))]


def refusal(reason: Reason, language: Language) -> str:
    """Why a passage has no charge, and what to do."""
    return _REJECTED[language].format(why=REASONS[reason][0 if language is Language.ZH else 1])


def yuan(amount_fen: int) -> str:
    """Fen as yuan with two decimals; exact."""
    return f"{'-' if amount_fen < 0 else ''}{abs(amount_fen) // YUAN_FEN}.{abs(amount_fen) % YUAN_FEN:02}"
