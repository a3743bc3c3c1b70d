"""Messages of registry_service.proto from domain values, and back."""

from __future__ import annotations

from google.protobuf.timestamp_pb2 import Timestamp
from xiangtong.tracking.v1 import registry_service_pb2 as pb

from services.vehicle_tracking.domain.register import Enterprise, Region, RegisterRow, Terminal, normal_phone
from services.vehicle_tracking.domain.vehicles import Vehicle, VehicleKind


def timestamp(instant_ms: int) -> Timestamp:
    """An instant on the wire."""
    seconds, rest_ms = divmod(instant_ms, 1000)
    return Timestamp(seconds=seconds, nanos=rest_ms * 1_000_000)


def instant_ms(message: Timestamp) -> int:
    """An instant from the wire, milliseconds since 1970."""
    return message.seconds * 1000 + message.nanos // 1_000_000


def vehicle_message(vehicle: Vehicle) -> pb.Vehicle:
    """A vehicle on the wire."""
    return pb.Vehicle(
        vehicle_id=vehicle.vehicle_id,
        plate=vehicle.plate,
        plate_colour=vehicle.plate_colour,
        kind=pb.VehicleKind.ValueType(int(vehicle.kind)),
        enterprise_id=vehicle.enterprise_id,
        region_code=vehicle.region_code,
        speed_kmh_max=vehicle.speed_kmh_max,
        vin=vehicle.vin,
        etag=vehicle.etag,
        update_time=timestamp(vehicle.update_time_ms),
    )


def vehicle_from(message: pb.Vehicle) -> Vehicle:
    """A vehicle from the wire, unchecked; a kind that is not known stays a bare number for the check to find."""
    kinds = {int(kind): kind for kind in VehicleKind}
    return Vehicle(
        vehicle_id=message.vehicle_id,
        plate=message.plate,
        plate_colour=message.plate_colour,
        kind=kinds.get(int(message.kind), message.kind),  # type: ignore[arg-type]  # vehicle_violations refuses it
        enterprise_id=message.enterprise_id,
        region_code=message.region_code,
        speed_kmh_max=message.speed_kmh_max,
        vin=message.vin,
        etag=message.etag,
    )


def terminal_message(terminal: Terminal) -> pb.Terminal:
    """A terminal on the wire; its auth code stays here."""
    return pb.Terminal(
        phone=terminal.phone,
        vehicle_id=terminal.vehicle_id,
        terminal_number=terminal.terminal_number,
        maker=terminal.maker,
        model=terminal.model,
        protocol_year=terminal.protocol_year,
        etag=terminal.etag,
        update_time=timestamp(terminal.update_time_ms),
    )


def terminal_from(message: pb.Terminal) -> Terminal:
    """A terminal from the wire, unchecked."""
    return Terminal(
        phone=normal_phone(message.phone),
        vehicle_id=message.vehicle_id,
        terminal_number=message.terminal_number,
        maker=message.maker,
        model=message.model,
        etag=message.etag,
    )


def enterprise_message(enterprise: Enterprise) -> pb.Enterprise:
    """An enterprise on the wire."""
    return pb.Enterprise(
        enterprise_id=enterprise.enterprise_id,
        name=enterprise.name,
        credit_code=enterprise.credit_code,
        region_code=enterprise.region_code,
        etag=enterprise.etag,
        update_time=timestamp(enterprise.update_time_ms),
    )


def enterprise_from(message: pb.Enterprise) -> Enterprise:
    """An enterprise from the wire, unchecked."""
    return Enterprise(
        enterprise_id=message.enterprise_id,
        name=message.name.strip(),
        region_code=message.region_code,
        credit_code=message.credit_code,
        etag=message.etag,
    )


def region_message(region: Region) -> pb.Region:
    """A region on the wire."""
    return pb.Region(**region._asdict())


def row_from(message: pb.RegisterRow) -> RegisterRow:
    """An import row from the wire, unchecked."""
    return RegisterRow(
        plate=message.plate,
        plate_colour=message.plate_colour,
        kind=int(message.kind),
        region_code=message.region_code,
        enterprise_name=message.enterprise_name.strip(),
        speed_kmh_max=message.speed_kmh_max,
        phone=normal_phone(message.phone),
        vin=message.vin,
    )


def row_message(row: RegisterRow) -> pb.RegisterRow:
    """An import row on the wire."""
    return pb.RegisterRow(
        plate=row.plate,
        plate_colour=row.plate_colour,
        kind=pb.VehicleKind.ValueType(row.kind),
        enterprise_name=row.enterprise_name,
        region_code=row.region_code,
        speed_kmh_max=row.speed_kmh_max,
        phone=row.phone,
        vin=row.vin,
    )
