"""The base map that the console draws."""

from __future__ import annotations

import shapely
from shapely.geometry import shape

from scripts import map_shapes
from simulation.places import COUNTIES, SEATS


def test_the_stored_shapes_are_what_the_script_draws() -> None:
    assert map_shapes.SHAPES.read_text(encoding="utf-8") == map_shapes.text(), (
        "run `python -m scripts.map_shapes` after a change of places or outlines"
    )


def test_every_town_lies_in_its_prefecture_and_in_no_other() -> None:
    areas = {f["properties"]["code"]: shape(f["geometry"]) for f in map_shapes.shapes()["prefectures"]["features"]}
    assert len(areas) == 14
    for town in (*SEATS, *COUNTIES):
        point = shapely.Point(town.longitude, town.latitude)
        assert [code for code, area in areas.items() if area.contains(point)] == [town.region_code], town.name


def test_prefectures_fill_the_province_without_overlap() -> None:
    drawn = map_shapes.shapes()
    province = shape(drawn["province"]["features"][0]["geometry"])
    areas = [shape(f["geometry"]) for f in drawn["prefectures"]["features"]]
    assert abs(sum(area.area for area in areas) - province.area) < 1e-4
