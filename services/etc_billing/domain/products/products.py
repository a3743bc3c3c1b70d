"""Every toll product there is, in the order in which their rules apply where these have the same `order`."""

from __future__ import annotations

from services.etc_billing.domain.products.containers import CONTAINERS
from services.etc_billing.domain.products.differential import DIFFERENTIAL
from services.etc_billing.domain.products.disaster_relief import DISASTER_RELIEF
from services.etc_billing.domain.products.etc_passenger import ETC_PASSENGER
from services.etc_billing.domain.products.etc_truck import ETC_TRUCK
from services.etc_billing.domain.products.free_holidays import FREE_HOLIDAYS
from services.etc_billing.domain.products.green_passage import GREEN_PASSAGE
from services.etc_billing.domain.products.harvesters import HARVESTERS
from services.etc_billing.domain.products.product import Product
from services.etc_billing.domain.products.whole_yuan import WHOLE_YUAN

PRODUCTS: tuple[Product, ...] = (
    CONTAINERS,
    DIFFERENTIAL,
    ETC_PASSENGER,
    ETC_TRUCK,
    WHOLE_YUAN,
    GREEN_PASSAGE,
    HARVESTERS,
    DISASTER_RELIEF,
    FREE_HOLIDAYS,
)
