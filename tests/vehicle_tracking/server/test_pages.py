"""Pages and their tokens."""

from __future__ import annotations

import pytest
from xiangtong.tracking.v1 import registry_service_pb2 as pb

from common.errors import InvalidInput
from services.vehicle_tracking.server.pages import cut, id_after, page_size, place, token


@pytest.mark.parametrize(("given", "size"), [(0, 100), (1, 1), (1000, 1000), (1001, 1000)])
def test_a_page_size_is_defaulted_and_capped(given: int, size: int) -> None:
    assert page_size(given) == size


def test_a_negative_page_size_is_refused() -> None:
    with pytest.raises(InvalidInput, match="page_size"):
        page_size(-1)


def test_the_last_page_has_no_token_and_others_lead_on() -> None:
    request = pb.ListVehiclesRequest(page_size=2)
    assert cut([1, 2], 2, request, int) == ([1, 2], "")
    page, request.page_token = cut([1, 2, 3], 2, request, int)
    assert (page, place(request, id_after)) == ([1, 2], 2)


def test_a_token_serves_one_kind_of_list_only() -> None:
    other = pb.ListTerminalsRequest(page_token=token(pb.ListVehiclesRequest(), "5"))
    with pytest.raises(InvalidInput, match="page_token"):
        place(other, id_after)
