"""A small tariff as files, and exit records as JSON lines. All values are made up (示例)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tests.etc_billing.passage_tables import STATIONS, interval_id

VERSION = "4320260101001"
USUAL_RULES: list[dict[str, Any]] = [
    {"code": 2, "product": "etc_passenger", "name_zh": "示例 ETC 九五折", "name_en": "ETC 95 %", "percent": 95},
    {"code": 3, "product": "etc_truck", "name_zh": "示例货车折扣", "name_en": "truck discount", "percent": 85},
    {"code": 4, "product": "whole_yuan", "name_zh": "取整到元", "name_en": "whole yuan"},
]
TABLES = {
    "versions.csv": ["version,effective_from", f"{VERSION},2026-01-01T00:00+08:00"],
    "intervals.csv": ["收费单元编号,路段业主,里程（米）", *(f"{interval_id(k)},示例业主,9000" for k in range(3))],
    "stations.csv": ["station_id", *STATIONS],
    "prices.csv": [
        "version,interval_id,vehicle_type,price_fen",
        *(
            f"{VERSION},{interval_id(k)},{kind},{price * kind}"
            for k, price in enumerate((465, 530, 25))
            for kind in (1, 13)
        ),
    ],
}


def tariff_folder(
    folder: Path, rules: list[dict[str, Any]] | str = USUAL_RULES, encoding: str = "utf-8", **tables: list[str] | None
) -> Path:
    """Write the tariff; `tables` are lines that replace those of a file, None leaves it out."""
    folder.mkdir(exist_ok=True)
    for name, usual in TABLES.items():
        lines = tables.get(name.removesuffix(".csv"), usual)
        if lines is not None:
            (folder / name).write_bytes(("\r\n".join(lines) + "\r\n").encode(encoding))
    text = rules if isinstance(rules, str) else json.dumps({"rules": rules}, ensure_ascii=False)
    (folder / "rules.json").write_text(text, encoding)
    return folder


def exit_record(*intervals: int, **fields: Any) -> dict[str, Any]:
    """An ETC car's exit over some intervals; a field that is None is left out."""
    usual = {
        "exit_id": f"{STATIONS[1]}00100102026030210000001",
        "pass_id": "014301123456789012345620260302090000",
        "card_id": "43011234567890123456",
        "issuer_id": "430101",
        "plate": "湘A12345",
        "plate_colour": 0,
        "entry_station_id": STATIONS[0],
        "entry_time": "2026-03-02T09:00:00+08:00",
        "exit_time": "2026-03-02T10:00:00+08:00",
        "vehicle_type": 1,
        "vehicle_class": 0,
        "axle_count": 2,
        "seat_count": 5,
        "media_type": 1,
        "pay_type": 4,
        "fee_class": 1,
        "intervals": [
            {"interval_id": interval_id(k), "pass_time": f"2026-03-02T09:{10 + n}:00+08:00"}
            for n, k in enumerate(intervals)
        ],
    }
    return {name: value for name, value in (usual | fields).items() if value is not None}


def exit_file(path: Path, *records: dict[str, Any] | str) -> Path:
    """Write records, or lines as they are."""
    lines = [record if isinstance(record, str) else json.dumps(record, ensure_ascii=False) for record in records]
    path.write_text("\n".join(lines) + "\n", "utf-8")
    return path
