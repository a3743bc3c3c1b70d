"""Which fences a straight line meets, exactly and over both indexes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from services.vehicle_tracking.domain.fence_grid import CELL_E7
from services.vehicle_tracking.domain.fence_known import MAIN, OVERLAY, is_held, near
from services.vehicle_tracking.domain.fence_lines import find_met, meets_edge
from services.vehicle_tracking.domain.fence_set import FenceSet, fence_set
from services.vehicle_tracking.domain.fences import Circle, Fence, FenceTrigger, Polygon, Shape
from tests.vehicle_tracking.domain.fence_oracle import Fix, held, met, out_m
from tests.vehicle_tracking.domain.fence_worlds import CHANGSHA, corridor, polygon, square, star

CORNER = 4300 * CELL_E7
Ends = tuple[int, int, int, int]
small = st.integers(-4, 4)
ends = st.tuples(small, small, small, small).filter(lambda line: line[:2] != line[2:])


def crossable(shapes: Sequence[Shape]) -> FenceSet:
    """Fences with a trigger for crossing; every second one is in the overlay."""
    fences = [Fence(n, "", shape, triggers=(FenceTrigger.CROSS,)) for n, shape in enumerate(shapes)]
    return fence_set(fences[::2]).with_changes({fence.fence_id: fence for fence in fences[1::2]})


def met_ids(fences: FenceSet, line: tuple[int, int, int, int]) -> list[int]:
    known, marks, met_slots = fences.for_kernels(), np.zeros(len(fences.rows), np.int64), np.empty(999, np.int32)
    x1, y1, x2, y2 = map(np.int64, line)
    count = find_met((x1, y1, x2, y2), MAIN, known, marks, 1, met_slots, 0)
    count = find_met((x1, y1, x2, y2), OVERLAY, known, marks, 1, met_slots, count)
    return sorted(fences.fence_ids[met_slots[:count]].tolist())


@settings(max_examples=500, deadline=None)
@given(ends, ends)
def test_lines_meet_edges_where_shapely_says_so(line: Ends, edge: Ends) -> None:
    x, y = -1_799_999_990, 899_999_990  # the products are the largest there are
    x1, y1, x2, y2 = line
    far = (np.int64(x + x1), np.int64(y + y1), np.int64(-x + x2), np.int64(-y + y2))
    near = (np.int64(x1), np.int64(y1), np.int64(x2), np.int64(y2))
    far_edge = (edge[0] - x, edge[1] - y, edge[2] + x, edge[3] + y)
    for given_line, given_edge in ((near, edge), (far, far_edge)):
        first = shapely.LineString(np.array(given_line, np.float64).reshape(2, 2))
        second = shapely.LineString(np.array(given_edge, np.float64).reshape(2, 2))
        assert meets_edge(given_line, np.array(given_edge, np.int32)) == first.intersects(second)


def test_lines_meet_fences_of_every_shape_as_told_by_other_means() -> None:
    rng = np.random.default_rng(4)
    shapes: list[Shape] = []
    for _ in range(25):
        x, y = (int(place + rng.integers(-500_000, 500_000)) for place in CHANGSHA)
        shapes += [star(rng, (x, y), 90_000), Circle(x, y, int(rng.integers(5, 900)))]
        shapes.append(corridor([(x, y), (x + 90_000, y), (x + 90_000, y + 90_000)], int(rng.integers(5, 900))))
    fences, found = crossable(shapes), 0
    for _ in range(30):
        x1, y1, x2, y2 = (int(place + rng.normal(0, 400_000)) for place in CHANGSHA * 2)
        before, after = Fix(1, 1, 0, x1, y1), Fix(1, 1, 1, x2, y2)
        ids = met_ids(fences, (x1, y1, x2, y2))
        outside = [n for n, shape in enumerate(shapes) if not held(shape, before) and not held(shape, after)]
        assert [n for n in ids if n in outside] == [n for n in outside if met(shapes[n], before, after)]
        found += len(ids)
    assert found > 150


@pytest.mark.parametrize(
    "line", [(-9, 0, 9, 0), (0, 9, 0, -9), (-9, -9, 9, 9), (-1_000_000, -700_000, 1_000_000, 700_000)]
)
def test_a_line_through_a_corner_of_four_cells_meets_what_is_there(line: tuple[int, int, int, int]) -> None:
    fences = crossable([square(CORNER - 1, CORNER - 1, 2)])
    x1, y1, x2, y2 = (CORNER + place for place in line)
    assert met_ids(fences, (x1, y1, x2, y2)) == [0]
    assert met_ids(fences, (x2, y2, x1, y1)) == [0]
    assert met_ids(fences, (x1, y1 + 40, x2, y2 + 40)) == ([0] if x1 == x2 and y2 + 40 <= CORNER + 1 else [])


def test_a_long_line_meets_a_fence_that_holds_whole_tiles() -> None:
    fences = crossable([square(1_000_000_000, 200_000_000, 200_000_000), square(0, 0, 9)])
    assert met_ids(fences, (900_000_000, 210_000_000, 1_300_000_000, 390_000_000)) == [0]
    assert met_ids(fences, (900_000_000, 410_000_000, 1_300_000_000, 590_000_000)) == []


def test_without_the_trigger_a_fence_is_not_sought() -> None:
    assert met_ids(fence_set([Fence(1, "", square(0, 0, 9), triggers=(FenceTrigger.ENTER,))]), (-9, 5, 20, 5)) == []


def test_near_is_out_by_no_more_than_the_hysteresis_in_both_indexes() -> None:
    rng = np.random.default_rng(8)
    hole = polygon(
        [(x * 9, y * 9) for x, y in ((0, 0), (3000, 0), (3000, 3000), (0, 3000))],
        [(900, 900), (9000, 900), (900, 9000)],
    )
    shapes: list[Shape] = [hole, Circle(0, 0, 70), corridor([(0, 0), (9000, 500)], 40), hole, Circle(9, 9, 70)]
    fences = [Fence(n, "", shape, hysteresis_m=50) for n, shape in enumerate(shapes)]
    both = fence_set(fences[:3]).with_changes({fence.fence_id: fence for fence in fences[3:]})
    for _ in range(400):
        fence_id, x, y = int(rng.integers(5)), int(rng.integers(-30_000, 60_000)), int(rng.integers(-30_000, 60_000))
        fix, slot = Fix(1, 1, 0, x, y), both.fence_ids.tolist().index(fence_id)
        assert is_held(both.for_kernels(), slot, x, y) == held(shapes[fence_id], fix)
        if not held(shapes[fence_id], fix):
            edges = both.edges[both.layers[slot]]
            assert near(both.rows[slot], both.reaches_m[slot], edges, x, y) == (out_m(shapes[fence_id], fix) <= 50)


def test_points_are_held_in_whole_tiles_and_outside_of_all_fences_nothing_is() -> None:
    china: Polygon = square(1_000_000_000, 200_000_000, 200_000_000)
    known = crossable([china]).for_kernels()
    assert is_held(known, 0, *CHANGSHA)
    assert not is_held(known, 0, 0, 0)
