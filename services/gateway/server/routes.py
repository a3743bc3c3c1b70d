"""Every route with the roles that may use it: the one table that decides."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple

from services.gateway.server import alarms, fences, fleet, map_config, people
from services.gateway.server.console import console_file
from services.gateway.server.openapi import openapi_page

ALL = frozenset({"operator", "admin", "auditor"})
HANDS = frozenset({"operator", "admin"})
ADMIN = frozenset({"admin"})
EYES = frozenset({"admin", "auditor"})
ANYBODY: frozenset[str] = frozenset()

LIVE_PATH = "/api/live"


class RouteRow(NamedTuple):
    """One route. `roles`: who may; empty for anybody."""

    method: str
    path: str
    roles: frozenset[str]
    endpoint: Callable[..., Awaitable[Any]]
    status: int = 200


ROUTES = (
    RouteRow("POST", "/api/sign-in", ANYBODY, people.sign_in),
    RouteRow("POST", "/api/sign-out", ALL, people.sign_out, 204),
    RouteRow("GET", "/api/me", ALL, people.me),
    RouteRow("PUT", "/api/me", ALL, people.choose),
    RouteRow("POST", "/api/password", ALL, people.change_password),
    RouteRow("GET", "/api/accounts", ADMIN, people.list_accounts),
    RouteRow("POST", "/api/accounts", ADMIN, people.add_account, 201),
    RouteRow("PUT", "/api/accounts/{account_id}", ADMIN, people.change_account),
    RouteRow("DELETE", "/api/accounts/{account_id}", ADMIN, people.remove_account, 204),
    RouteRow("GET", "/api/audit", EYES, people.list_audit),
    RouteRow("GET", "/api/vehicles", ALL, fleet.list_vehicles),
    RouteRow("GET", "/api/vehicles/{vehicle_id}", ALL, fleet.get_vehicle),
    RouteRow("GET", "/api/vehicles/{vehicle_id}/track", ALL, fleet.get_track),
    RouteRow("GET", "/api/regions", ALL, fleet.list_regions),
    RouteRow("GET", "/api/enterprises", ALL, fleet.list_enterprises),
    RouteRow("GET", "/api/alarms", ALL, alarms.list_alarms),
    RouteRow("POST", "/api/alarms/{alarm_id}/acknowledge", HANDS, alarms.acknowledge),
    RouteRow("GET", "/api/fences", ALL, fences.list_fences),
    RouteRow("GET", "/api/fences/export", ALL, fences.export_fences),
    RouteRow("POST", "/api/fences/import", HANDS, fences.import_fences),
    RouteRow("GET", "/api/fences/{fence_id}", ALL, fences.get_fence),
    RouteRow("POST", "/api/fences", HANDS, fences.add_fence, 201),
    RouteRow("PUT", "/api/fences/{fence_id}", HANDS, fences.change_fence),
    RouteRow("DELETE", "/api/fences/{fence_id}", HANDS, fences.remove_fence, 204),
    RouteRow("GET", "/api/map/config", ALL, map_config.map_config),
    RouteRow("GET", "/api/openapi.json", ALL, openapi_page),
    RouteRow("GET", "/{path:path}", ANYBODY, console_file),
)

__all__ = ["ALL", "LIVE_PATH", "ROUTES", "RouteRow"]
