"""Shapes as edges."""

from __future__ import annotations

import numpy as np

from services.vehicle_tracking.domain.fence_shapes import CIRCLE, CORRIDOR, POLYGON, edges_of, shapes_of
from services.vehicle_tracking.domain.fences import Circle
from tests.vehicle_tracking.domain.fence_worlds import corridor, polygon


def test_a_ring_is_closed_whether_its_last_point_repeats_the_first_or_not() -> None:
    open_ring, closed_ring = [(0, 0), (9, 0), (0, 9)], [(0, 0), (9, 0), (0, 9), (0, 0)]
    edges = [[0, 0, 9, 0], [9, 0, 0, 9], [0, 9, 0, 0]]
    assert edges_of(polygon(open_ring)).tolist() == edges
    assert edges_of(polygon(closed_ring)).tolist() == edges


def test_parts_of_a_line_without_length_are_left_out() -> None:
    assert edges_of(corridor([(0, 0), (0, 0), (5, 5)], 10)).tolist() == [[0, 0, 5, 5]]


def test_shapes_know_their_slots_kinds_reaches_and_edges() -> None:
    shapes = shapes_of([4, 2, 7], [polygon([(0, 0), (9, 0), (0, 9)]), Circle(5, 6, 70), corridor([(0, 0), (5, 5)], 9)])
    assert shapes.slots.tolist() == [4, 2, 7]
    assert shapes.kinds.tolist() == [POLYGON, CIRCLE, CORRIDOR]
    assert shapes.reaches_m.tolist() == [0, 70, 4.5]
    assert shapes.starts.tolist() == [0, 3, 4, 5]
    assert shapes.edges[3].tolist() == [5, 6, 5, 6]


def test_no_shapes_are_no_edges() -> None:
    nothing = shapes_of([], [])
    assert nothing.edges.shape == (0, 4)
    assert nothing.edges.dtype == np.int32
