"""Trips as the messages that BillingService takes, made a column at a time: what JSON lines say, for many at once."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from xiangtong.billing.v1 import billing_service_pb2 as pb

from simulation.toll_exits import ExitNames
from simulation.toll_network import Int64s, TollNetwork
from simulation.toll_trips import TollTrips

NO_FEE_FEN = -1  # the charge is left to the billing


def exit_messages(
    trips: TollTrips, network: TollNetwork, names: ExitNames, fees_fen: Int64s, *, size: int
) -> Iterator[pb.ExitRecords]:
    """The exit records in calls of up to `size`. `fees_fen`: what the lanes charged, (n,), NO_FEE_FEN for nothing."""
    for first in range(0, len(trips), size):
        yield exit_message_of(trips, network, names, fees_fen, np.arange(first, min(first + size, len(trips))))


def exit_message_of(
    trips: TollTrips, network: TollNetwork, names: ExitNames, fees_fen: Int64s, rows: Int64s
) -> pb.ExitRecords:
    """The exit records of some trips, in the order of `rows`."""
    drivers, spans = trips.vehicles.take(rows), [np.arange(trips.starts[row], trips.starts[row + 1]) for row in rows]
    recorded = [span[trips.seen[span]] for span in spans]
    passed = np.concatenate([np.empty(0, np.int64), *recorded])
    numbers, indexes = np.unique(trips.numbers[passed], return_inverse=True)
    return pb.ExitRecords(
        exit_ids=names.exit_ids[rows].astype(str).tolist(),
        pass_ids=names.pass_ids[rows].astype(str).tolist(),
        card_ids=names.card_ids[rows].astype(str).tolist(),
        issuer_ids=names.issuer_ids[rows].astype(str).tolist(),
        plates=names.plates[rows].tolist(),
        plate_colours=names.plate_colours[rows].tolist(),
        entry_station_ids=[network.stations[station].station_id for station in trips.entry_stations[rows].tolist()],
        entry_times_ms=trips.entry_times_ms[rows].tolist(),
        exit_times_ms=trips.exit_times_ms[rows].tolist(),
        vehicle_types=drivers.charged_types.tolist(),
        vehicle_classes=drivers.classes.tolist(),
        axle_counts=drivers.axle_counts.tolist(),
        seat_counts=drivers.seat_counts.tolist(),
        media_types=drivers.media_types.tolist(),
        pay_types=drivers.pay_types.tolist(),
        fee_classes=drivers.fee_classes.tolist(),
        fees_fen=fees_fen[rows].tolist(),
        interval_counts=[len(places) for places in recorded],
        interval_indexes=indexes.tolist(),
        interval_times_ms=trips.pass_times_ms[passed].tolist(),
        interval_ids=[network.intervals[number].interval_id for number in numbers.tolist()],
    )
