"""RegistryService: convert, look up or write, convert back."""

# ruff: noqa: N802, ARG002 – the generated base class names the methods and their arguments

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

from xiangtong.tracking.v1 import registry_service_pb2 as pb
from xiangtong.tracking.v1.registry_service_pb2_grpc import RegistryServiceServicer

from common.errors import InvalidInput, Violation
from services.vehicle_tracking.adapters import register_rows as rows
from services.vehicle_tracking.adapters.changes import Pool
from services.vehicle_tracking.adapters.register_import import RowResult, import_rows
from services.vehicle_tracking.convert import registry as convert
from services.vehicle_tracking.domain.register import (
    enterprise_violations,
    normal_phone,
    terminal_violations,
    vehicle_violations,
)
from services.vehicle_tracking.server.pages import cut, id_after, page_size, place
from services.vehicle_tracking.server.writes import check, created, etag_violations, written

IMPORT_ROWS_MAX = 5000


class RegistryServer(RegistryServiceServicer):
    """The register over gRPC, on a pool of PostgreSQL connections."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def GetVehicle(self, request: pb.GetVehicleRequest, context: Any) -> pb.GetVehicleResponse:
        found = await asyncio.to_thread(rows.get_vehicle, self._pool, request.vehicle_id)
        return pb.GetVehicleResponse(vehicle=convert.vehicle_message(found))

    async def ListVehicles(self, request: pb.ListVehiclesRequest, context: Any) -> pb.ListVehiclesResponse:
        size, after = page_size(request.page_size), place(request, id_after)
        found = await asyncio.to_thread(
            rows.list_vehicles,
            self._pool,
            after_id=after,
            count=size + 1,
            plate_filter=request.plate_filter,
            region_codes=[request.region_code] if request.region_code else (),
            enterprise_ids=[request.enterprise_id] if request.enterprise_id else (),
            kinds=[request.kind] if request.kind else (),
        )
        page, token = cut(found, size, request, lambda vehicle: vehicle.vehicle_id)
        return pb.ListVehiclesResponse(vehicles=map(convert.vehicle_message, page), next_page_token=token)

    async def CreateVehicle(self, request: pb.CreateVehicleRequest, context: Any) -> pb.CreateVehicleResponse:
        vehicle = replace(convert.vehicle_from(request.vehicle), vehicle_id=0)
        check("vehicle", vehicle_violations(vehicle))
        return await created(
            self._pool,
            request,
            pb.CreateVehicleResponse,
            lambda writing: pb.CreateVehicleResponse(
                vehicle=convert.vehicle_message(rows.add_vehicle(writing, vehicle))
            ),
        )

    async def UpdateVehicle(self, request: pb.UpdateVehicleRequest, context: Any) -> pb.UpdateVehicleResponse:
        vehicle = convert.vehicle_from(request.vehicle)
        check("vehicle", [*vehicle_violations(vehicle), *etag_violations(vehicle.etag)])
        stored = await written(self._pool, rows.replace_vehicle, vehicle)
        return pb.UpdateVehicleResponse(vehicle=convert.vehicle_message(stored))

    async def DeleteVehicle(self, request: pb.DeleteVehicleRequest, context: Any) -> pb.DeleteVehicleResponse:
        await written(self._pool, rows.remove_vehicle, request.vehicle_id, etag=request.etag)
        return pb.DeleteVehicleResponse()

    async def GetTerminal(self, request: pb.GetTerminalRequest, context: Any) -> pb.GetTerminalResponse:
        found = await asyncio.to_thread(rows.get_terminal, self._pool, normal_phone(request.phone))
        return pb.GetTerminalResponse(terminal=convert.terminal_message(found))

    async def ListTerminals(self, request: pb.ListTerminalsRequest, context: Any) -> pb.ListTerminalsResponse:
        size, after = page_size(request.page_size), place(request, str)
        found = await asyncio.to_thread(
            rows.list_terminals, self._pool, after_phone=after, count=size + 1, vehicle_id=request.vehicle_id
        )
        page, token = cut(found, size, request, lambda terminal: terminal.phone)
        return pb.ListTerminalsResponse(terminals=map(convert.terminal_message, page), next_page_token=token)

    async def CreateTerminal(self, request: pb.CreateTerminalRequest, context: Any) -> pb.CreateTerminalResponse:
        terminal = convert.terminal_from(request.terminal)
        check("terminal", terminal_violations(terminal))
        return await created(
            self._pool,
            request,
            pb.CreateTerminalResponse,
            lambda writing: pb.CreateTerminalResponse(
                terminal=convert.terminal_message(rows.add_terminal(writing, terminal))
            ),
        )

    async def UpdateTerminal(self, request: pb.UpdateTerminalRequest, context: Any) -> pb.UpdateTerminalResponse:
        terminal = convert.terminal_from(request.terminal)
        check("terminal", [*terminal_violations(terminal), *etag_violations(terminal.etag)])
        stored = await written(self._pool, rows.replace_terminal, terminal)
        return pb.UpdateTerminalResponse(terminal=convert.terminal_message(stored))

    async def DeleteTerminal(self, request: pb.DeleteTerminalRequest, context: Any) -> pb.DeleteTerminalResponse:
        await written(self._pool, rows.remove_terminal, normal_phone(request.phone), etag=request.etag)
        return pb.DeleteTerminalResponse()

    async def GetEnterprise(self, request: pb.GetEnterpriseRequest, context: Any) -> pb.GetEnterpriseResponse:
        found = await asyncio.to_thread(rows.get_enterprise, self._pool, request.enterprise_id)
        return pb.GetEnterpriseResponse(enterprise=convert.enterprise_message(found))

    async def ListEnterprises(self, request: pb.ListEnterprisesRequest, context: Any) -> pb.ListEnterprisesResponse:
        size, after = page_size(request.page_size), place(request, id_after)
        found = await asyncio.to_thread(
            rows.list_enterprises,
            self._pool,
            after_id=after,
            count=size + 1,
            name_filter=request.name_filter,
            region_code=request.region_code,
        )
        page, token = cut(found, size, request, lambda enterprise: enterprise.enterprise_id)
        return pb.ListEnterprisesResponse(enterprises=map(convert.enterprise_message, page), next_page_token=token)

    async def CreateEnterprise(self, request: pb.CreateEnterpriseRequest, context: Any) -> pb.CreateEnterpriseResponse:
        enterprise = replace(convert.enterprise_from(request.enterprise), enterprise_id=0)
        check("enterprise", enterprise_violations(enterprise))
        return await created(
            self._pool,
            request,
            pb.CreateEnterpriseResponse,
            lambda writing: pb.CreateEnterpriseResponse(
                enterprise=convert.enterprise_message(rows.add_enterprise(writing, enterprise))
            ),
        )

    async def UpdateEnterprise(self, request: pb.UpdateEnterpriseRequest, context: Any) -> pb.UpdateEnterpriseResponse:
        enterprise = convert.enterprise_from(request.enterprise)
        check("enterprise", [*enterprise_violations(enterprise), *etag_violations(enterprise.etag)])
        stored = await written(self._pool, rows.replace_enterprise, enterprise)
        return pb.UpdateEnterpriseResponse(enterprise=convert.enterprise_message(stored))

    async def DeleteEnterprise(self, request: pb.DeleteEnterpriseRequest, context: Any) -> pb.DeleteEnterpriseResponse:
        await written(self._pool, rows.remove_enterprise, request.enterprise_id, etag=request.etag)
        return pb.DeleteEnterpriseResponse()

    async def ListRegions(self, request: pb.ListRegionsRequest, context: Any) -> pb.ListRegionsResponse:
        size, after = page_size(request.page_size), place(request, str)
        found = await asyncio.to_thread(rows.list_regions, self._pool, after_code=after, count=size + 1)
        page, token = cut(found, size, request, lambda region: region.region_code)
        return pb.ListRegionsResponse(regions=map(convert.region_message, page), next_page_token=token)

    async def ImportRegister(self, request: pb.ImportRegisterRequest, context: Any) -> pb.ImportRegisterResponse:
        if len(request.rows) > IMPORT_ROWS_MAX:
            raise InvalidInput(Violation("rows", f"send at most {IMPORT_ROWS_MAX} rows a call"))
        results = await written(self._pool, import_rows, [convert.row_from(row) for row in request.rows])
        return pb.ImportRegisterResponse(results=map(_result_message, results))


def _result_message(result: RowResult) -> pb.RegisterRowResult:
    return pb.RegisterRowResult(
        outcome=pb.RegisterRowOutcome.ValueType(int(result.outcome)),
        vehicle_id=result.vehicle_id,
        field=result.violation.field if result.violation else "",
        message=result.violation.message if result.violation else "",
    )
