"""The province's fences: every shape, every trigger, windows and limits, the same each time."""

from __future__ import annotations

from simulation.fences import CROSS, ENTER, EXIT, fences
from simulation.province import province


def test_the_fences_are_the_same_each_time_and_their_names_are_unique() -> None:
    made = fences(province(1))
    assert [fence.SerializeToString() for fence in made] == [fence.SerializeToString() for fence in fences(province(1))]
    assert len({fence.name for fence in made}) == len(made) > 60


def test_every_shape_trigger_window_and_limit_occurs() -> None:
    made = fences(province(1))
    assert {fence.WhichOneof("shape") for fence in made} == {"polygon", "circle", "corridor"}
    assert {trigger for fence in made for trigger in fence.triggers} == {ENTER, EXIT, CROSS}
    assert any(len(fence.polygon.rings) == 2 for fence in made)
    windows = [window for fence in made for window in fence.time_windows]
    assert any(window.end_minute < window.start_minute for window in windows)
    assert {fence.speed_kmh_max for fence in made} >= {0, 50, 70}
    assert any(fence.dwell.seconds for fence in made) and any(fence.hysteresis_m for fence in made)
