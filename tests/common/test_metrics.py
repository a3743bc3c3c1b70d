"""The list of metrics."""

from __future__ import annotations

import pytest

from common.metrics import count_rejections, metrics, registry, timed


def value(name: str, **labels: str) -> float:
    return registry.get_sample_value(f"xiangtong_{name}", labels) or 0.0


def test_rejections_are_counted_by_source_and_reason() -> None:
    count_rejections("test", {"CHECKSUM": 2, "TOO_LONG": 1})
    count_rejections("test", {"CHECKSUM": 3})
    assert value("rejections_total", source="test", reason="CHECKSUM") == 5
    assert value("rejections_total", source="test", reason="TOO_LONG") == 1


def test_a_block_is_timed_also_when_it_raises() -> None:
    with pytest.raises(ValueError, match="inside"), timed(metrics.log_append_seconds.labels("timed")):
        raise ValueError("inside")
    assert value("log_append_seconds_count", topic="timed") == 1


def test_every_metric_says_what_it_is_and_its_name_its_unit() -> None:
    families = list(registry.collect())
    assert len(families) > 25
    assert [family.name for family in families if not family.documentation] == []
    histograms = [family.name for family in families if family.type == "histogram"]
    assert [name for name in histograms if not name.endswith("_seconds")] == []
