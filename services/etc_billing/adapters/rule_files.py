"""rules.json of a tariff: its rating rules as people write them, checked field by field."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from datetime import date, datetime, time, timedelta
from types import MappingProxyType
from typing import Any

from common.clock import SHANGHAI, milliseconds
from common.errors import InvalidInput, Violation
from services.etc_billing.domain.money import Policy
from services.etc_billing.domain.products.product import CONDITIONS, FOREVER_MS, RatingRule
from services.etc_billing.domain.products.products import PRODUCTS
from services.etc_billing.domain.rating import RULE_CODE_MIN, RatingRules, rules_of
from services.etc_billing.domain.tariff import SECTION_ID_LENGTH, STATION_ID_LENGTH

RULES_MAX = 1000
CODE_MAX = 1_000_000
Complaint = tuple[str, str, str]  # place, field, message
_PRODUCTS = {product.name: product for product in PRODUCTS}
_ALWAYS = ("code", "product", "name_zh", "name_en", "order", "from", "until", *CONDITIONS)
_WRITTEN = {"windows_ms": "free_dates", "day_minutes": "day_periods"}  # parameters that people write another way
_NEEDED = ("percent", "seat_count_max", "free_dates")  # without them a rule would free or charge everybody
_DAY_MINUTES = 24 * 60


def rules_in(text: str) -> tuple[RatingRules, list[Complaint]]:
    """The rules of {"rules": [...]}, and what is wrong with them. Raises InvalidInput when it is no such JSON."""
    try:
        listed = json.loads(text)["rules"]
    except (ValueError, KeyError, TypeError, RecursionError):
        listed = None
    if not isinstance(listed, list) or len(listed) > RULES_MAX:
        raise InvalidInput(Violation("rules.json", f'is no JSON of the form {{"rules": [...]}}, at most {RULES_MAX}'))
    rules: dict[int, RatingRule] = {}
    complaints: list[Complaint] = []
    for number, written in enumerate(listed, 1):
        rule, wrong = _rule(written)
        if rule and rule.code in rules:
            wrong.append(("code", f"{rule.code} stands twice; a code names one rule"))
        if rule:
            rules[rule.code] = rule
        complaints += [(f"rule {number}", name, message) for name, message in wrong]
    return rules_of(list(rules.values())), complaints


def _rule(written: Any) -> tuple[RatingRule | None, list[tuple[str, str]]]:
    """The rule, None unless all of its fields can be used, and what is wrong with which field."""
    product = _PRODUCTS.get(str(written.get("product"))) if isinstance(written, dict) else None
    if product is None:
        return None, [("product", f"is none; there are {', '.join(_PRODUCTS)}")]
    allowed = {*_ALWAYS, *(_WRITTEN.get(name, name) for name in product.parameters)}
    wrong = [(name, f"is no field of {product.name}; remove it") for name in written if name not in allowed]
    values: dict[str, Any] = {}
    for name in sorted(allowed & set(written)):
        read, what = _FIELDS[name]
        try:
            values |= read(written[name])
        except (ValueError, TypeError, OverflowError):
            wrong.append((name, f"{written[name]!r} is not {what}"))
    missing = [name for name in ("code", "name_zh", "name_en") if name not in written]
    missing += [name for name in _NEEDED if name in allowed and name not in written]
    wrong += [(name, "is missing; add it") for name in missing]
    if "exit_policy" in values and values["exit_policy"] not in product.policies:
        wrong.append(("exit_policy", f"is not one of {', '.join(product.policies)}"))
    if "from_ms" in values and values["from_ms"] >= values.get("until_ms", FOREVER_MS):
        wrong.append(("until", "is not after from; the rule would never be in force"))
    return (None if wrong else RatingRule(product=product.name, **values)), wrong


def _whole(name: str, least: int, most: int) -> Callable[[Any], dict[str, Any]]:
    def read(written: Any) -> dict[str, Any]:
        if type(written) is not int or not least <= written <= most:  # true is no number
            raise ValueError
        return {name: written}

    return read


def _words(name: str) -> Callable[[Any], dict[str, Any]]:
    def read(written: Any) -> dict[str, Any]:
        if not isinstance(written, str) or not 0 < len(written) <= 100:
            raise ValueError
        return {name: written}

    return read


def _bytes(name: str) -> Callable[[Any], dict[str, Any]]:
    def read(written: Any) -> dict[str, Any]:
        return {name: tuple(_whole(name, 0, 255)(one)[name] for one in _listed(written))}

    return read


def _day(name: str) -> Callable[[Any], dict[str, Any]]:
    def read(written: Any) -> dict[str, Any]:
        return {name: _midnight_ms(date.fromisoformat(written))}

    return read


def _free_dates(written: Any) -> dict[str, Any]:
    windows = []
    for first, last in _listed(written):
        days = date.fromisoformat(first), date.fromisoformat(last)
        if days[0] > days[1]:
            raise ValueError
        windows.append((_midnight_ms(days[0]), _midnight_ms(days[1] + timedelta(days=1))))
    return {"windows_ms": tuple(windows)}


def _day_periods(written: Any) -> dict[str, Any]:
    periods = tuple((_minute(start), _minute(end)) for start, end in _listed(written))
    if any(start == end for start, end in periods):
        raise ValueError
    return {"day_minutes": periods}


def _sections(written: Any) -> dict[str, Any]:
    return {"sections": tuple(_identity(one, SECTION_ID_LENGTH) for one in _listed(written))}


def _station_pairs(written: Any) -> dict[str, Any]:
    pairs = [(entry, leave) for entry, leave in _listed(written)]
    return {"station_pairs": tuple(tuple(_identity(one, STATION_ID_LENGTH) for one in pair) for pair in pairs)}


def _exit_policy(written: Any) -> dict[str, Any]:
    return {"exit_policy": Policy(written)}


def _listed(written: Any) -> list[Any]:
    if not isinstance(written, list) or not written:
        raise ValueError
    return written


def _identity(written: Any, length: int) -> str:
    if not re.fullmatch(rf"[0-9A-Z]{{{length}}}", written, re.ASCII):
        raise ValueError
    return str(written)


def _minute(written: Any) -> int:
    if written == "24:00":
        return _DAY_MINUTES
    at = time.fromisoformat(written)
    return at.hour * 60 + at.minute


def _midnight_ms(day: date) -> int:
    return milliseconds(datetime.combine(day, time(), SHANGHAI))


_FIELDS: Mapping[str, tuple[Callable[[Any], dict[str, Any]], str]] = MappingProxyType(
    {
        "code": (_whole("code", RULE_CODE_MIN, CODE_MAX), f"a whole number from {RULE_CODE_MIN} to {CODE_MAX}"),
        "product": (lambda _written: {}, "a product"),
        "name_zh": (_words("name_zh"), "a name of at most 100 characters"),
        "name_en": (_words("name_en"), "a name of at most 100 characters"),
        "order": (_whole("order", -1000, 1000), "a whole number from -1000 to 1000"),
        "from": (_day("from_ms"), "a date such as 2026-01-01"),
        "until": (_day("until_ms"), "a date such as 2027-01-01, the first day without the rule"),
        "percent": (_whole("percent", 0, 100), "a whole number from 0 to 100: what is still to be paid"),
        "exit_policy": (_exit_policy, f"one of {', '.join(Policy)}"),
        **{name: (_bytes(name), "a list of numbers from 0 to 255, not empty") for name in CONDITIONS},
        "sections": (_sections, f"a list of section ids of {SECTION_ID_LENGTH} characters"),
        "direction": (_whole("direction", 1, 2), "1 (up) or 2 (down)"),
        "day_periods": (_day_periods, 'a list of periods such as ["22:00", "06:00"], in Shanghai'),
        "station_pairs": (_station_pairs, f"a list of [entry, exit] station ids of {STATION_ID_LENGTH} characters"),
        "seat_count_max": (_whole("seat_count_max", 1, 100), "a whole number from 1 to 100"),
        "free_dates": (_free_dates, 'a list of [first, last] days such as ["2026-10-01", "2026-10-07"]'),
    }
)
