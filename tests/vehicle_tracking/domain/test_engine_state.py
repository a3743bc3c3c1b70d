"""Tables of state: growth and bytes."""

from __future__ import annotations

import numpy as np
import pytest

from services.vehicle_tracking.domain.engine_state import grown, packed, table_of, unpacked


def test_a_table_grows_with_room_to_spare_and_keeps_its_rows() -> None:
    table = np.arange(10, dtype=np.int32)
    assert grown(table, 10) is table
    more = grown(table, 4000, fill=7)
    assert (more[:10].tolist(), set(more[10:].tolist())) == (list(range(10)), {7})
    assert more.dtype == table.dtype
    assert len(more) == 4500


@pytest.mark.parametrize("bodies", [(), (b"",), (b"ab", b"", b"c" * 1000)])
def test_bodies_come_back_as_they_were(bodies: tuple[bytes, ...]) -> None:
    assert tuple(unpacked("NAME", 3, packed("NAME", 3, *bodies))) == bodies


@pytest.mark.parametrize("damage", ["name", "version", "cut", "long", "empty"])
def test_other_bytes_are_refused(damage: str) -> None:
    wire = packed("NAME", 3, b"ab", b"c")
    name, version = ("ELSE" if damage == "name" else "NAME"), (4 if damage == "version" else 3)
    wire = {"cut": wire[:-1], "long": wire + b"x", "empty": b""}.get(damage, wire)
    with pytest.raises(ValueError, match=name):
        unpacked(name, version, wire)


def test_a_table_from_bytes_can_be_written_to() -> None:
    table = table_of("<i4", np.arange(3, dtype="<i4").tobytes())
    table[0] = 9
    assert table.tolist() == [9, 1, 2]
    with pytest.raises(ValueError, match="buffer size"):
        table_of("<i4", b"abc")
