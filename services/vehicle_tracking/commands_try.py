"""`xiangtong tracking try`: what the live engine would have said about recorded positions."""

from __future__ import annotations

import io
import json
import sys
import zipfile
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from rich.console import Console
from rich.progress import Progress
from rich.table import Table
from rich.text import Text

from common.clock import SHANGHAI, utc
from common.datums import Datum
from common.errors import InvalidInput, Violation
from common.infra.settings import load
from services.vehicle_tracking.adapters.fence_files import FileFormat, fences_in
from services.vehicle_tracking.adapters.position_files import Recording, recording_in
from services.vehicle_tracking.adapters.rules import rule_settings
from services.vehicle_tracking.domain import engine
from services.vehicle_tracking.domain.alarms.alarm import Alarm
from services.vehicle_tracking.domain.alarms.terminal_alarms import NAME as TERMINAL
from services.vehicle_tracking.domain.fence_set import fence_set
from services.vehicle_tracking.domain.fences import Fence, FenceTrigger
from services.vehicle_tracking.domain.judgement import Judgement
from services.vehicle_tracking.domain.positions import PositionBatch
from services.vehicle_tracking.domain.quality import Quality
from services.vehicle_tracking.domain.register import find_kind
from services.vehicle_tracking.domain.vehicle_columns import VehicleColumns
from services.vehicle_tracking.domain.vehicles import Vehicle, VehicleKind
from services.vehicle_tracking.domain.warm_up import warm_up
from services.vehicle_tracking.settings import TrackingSettings

RECEIVED_TOGETHER_MS = 10_000  # as live: what comes within seconds is one batch
REFUSED_PRINTED_MAX = 20
FORMATS = {
    ".geojson": FileFormat.GEOJSON,
    ".json": FileFormat.GEOJSON,
    ".zip": FileFormat.SHAPEFILE,
    ".shp": FileFormat.SHAPEFILE,
    ".gpkg": FileFormat.GPKG,
    ".kml": FileFormat.KML,
}

app = typer.Typer(help="Tools of vehicle tracking.", no_args_is_help=True)


@dataclass(slots=True)
class Trial:
    """What came of it: alarms by id as they ended, transitions (time, vehicle, fence, kind), and flaws counted."""

    alarms: dict[str, Alarm] = field(default_factory=dict)
    transitions: list[tuple[int, int, int, int]] = field(default_factory=list)
    flaws: Counter[str] = field(default_factory=Counter)

    def take(self, judged: Judgement) -> None:
        """Add what a batch came to."""
        self.take_alarms(judged.alarms)
        for some in judged.transitions:
            columns = (some.times_ms, some.vehicle_ids, some.fence_ids, some.kinds)
            self.transitions += zip(*(column.tolist() for column in columns), strict=True)
        flagged = judged.quality_flags[judged.quality_flags != 0]
        for flag in Quality if len(flagged) else ():
            self.flaws[str(flag.name)] += int(np.count_nonzero(flagged & flag))

    def take_alarms(self, alarms: Iterable[Alarm]) -> None:
        """Add alarms, or what has become of them."""
        self.alarms |= {alarm.alarm_id: alarm for alarm in alarms}


@app.callback()
def _tools() -> None:
    """Tools of vehicle tracking."""


@app.command("try")
def try_rules(
    fences: Annotated[
        Path, typer.Option("--fences", exists=True, dir_okay=False, help=f"fences: {', '.join(FORMATS)}")
    ],
    positions: Annotated[
        Path,
        typer.Option("--positions", exists=True, dir_okay=False, help="positions: a CSV file, .gz too, with a header"),
    ],
    datum: Annotated[Datum, typer.Option("--datum", help="datum of the fences; never guessed")],
    positions_datum: Annotated[Datum, typer.Option(help="datum of the positions")] = Datum.WGS84,
    utc_offset: Annotated[float, typer.Option(min=-14, max=14, help="hours, of times that name no zone")] = 8.0,
    kind: Annotated[str, typer.Option(help="kind of all vehicles: coach, hazmat, bus, taxi, freight …")] = "other",
    as_json: Annotated[bool, typer.Option("--json", help="print a JSON object a line instead of a table")] = False,
) -> None:
    """Print the transitions and alarms that the live engine would raise over recorded positions."""
    told = Console(stderr=True)
    try:
        chosen = find_kind(kind)
        if chosen is None:
            raise InvalidInput(Violation("kind", f"{kind!r} is none; there are {', '.join(_kinds())}"))
        with told.status("reading"):
            drawn = fences_of(fences, datum)
            recording = recording_in(positions, datum=positions_datum, utc_offset_h=utc_offset)
        trial = tried(recording, drawn, chosen, told)
    except InvalidInput as error:
        told.print(error.message, style="red", markup=False)
        raise typer.Exit(1) from None
    if as_json:
        for row in rows_of(trial, recording, drawn):
            sys.stdout.write(json.dumps(row, ensure_ascii=False) + "\n")
    else:
        Console().print(_table(rows_of(trial, recording, drawn)))
    told.print(_summary(trial, recording, len(drawn)), markup=False)


def fences_of(file: Path, datum: Datum) -> list[Fence]:
    """The fences of a file, numbered from 1 in its order. Raises InvalidInput that names each feature that is none."""
    if file.suffix.lower() not in FORMATS:
        raise InvalidInput(Violation("fences", f"the suffix of {file.name} must be one of {', '.join(FORMATS)}"))
    content = _zipped(file) if file.suffix.lower() == ".shp" else file.read_bytes()
    found = fences_in(content, FORMATS[file.suffix.lower()], datum)
    refused = [f"feature {n}: {fence}" for n, fence in enumerate(found, 1) if isinstance(fence, str)]
    if refused:
        more = f"\n… and {len(refused) - REFUSED_PRINTED_MAX} more" if len(refused) > REFUSED_PRINTED_MAX else ""
        raise InvalidInput(Violation(file.name, "\n".join(refused[:REFUSED_PRINTED_MAX]) + more))
    return [replace(fence, fence_id=n) for n, fence in enumerate(found, 1) if isinstance(fence, Fence)]


def tried(recording: Recording, fences: Sequence[Fence], kind: VehicleKind, told: Console) -> Trial:
    """Run the engine over a recording as if each position had been received when it was made."""
    settings, trial, state = rule_settings(load(TrackingSettings)), Trial(), engine.start(0)
    with told.status("preparing the engine"):
        warm_up(settings)
        vehicles = VehicleColumns(1)
        vehicles.change([Vehicle(n, name, 0, kind) for n, name in enumerate(recording.names, 1)])
        known = engine.Known(settings, 1, fence_set(fences), vehicles)
    with Progress(console=told, transient=True) as progress:
        bar = progress.add_task("positions", total=len(recording.positions))
        for positions in _received(recording.positions):
            trial.take(engine.step(state, positions, known))
            progress.advance(bar, len(positions))
    trial.take_alarms(engine.tick(state, recording.positions.received_time_ms, known))
    return trial


def rows_of(trial: Trial, recording: Recording, fences: Sequence[Fence]) -> list[dict[str, Any]]:
    """Transitions and alarms as plain objects, by time."""
    names = {fence.fence_id: fence.name for fence in fences}
    rows: list[tuple[int, dict[str, Any]]] = [
        (
            time_ms,
            {
                "what": "transition",
                "transition": FenceTrigger(kind).name.lower(),
                "vehicle": recording.names[vehicle_id - 1],
                "fence": names[fence_id],
                "time": _written(time_ms),
            },
        )
        for time_ms, vehicle_id, fence_id, kind in trial.transitions
    ]
    rows += [(alarm.raise_time_ms, _alarm_row(alarm, recording, names)) for alarm in trial.alarms.values()]
    return [row for _, row in sorted(rows, key=lambda pair: pair[0])]


def _alarm_row(alarm: Alarm, recording: Recording, names: dict[int, str]) -> dict[str, Any]:
    return {
        "what": "alarm",
        "rule": alarm.rule,
        "vehicle": recording.names[alarm.vehicle_id - 1],
        "fence": names.get(alarm.fence_id, ""),
        "time": _written(alarm.raise_time_ms),
        "clear_time": None if alarm.clear_time_ms is None else _written(alarm.clear_time_ms),
        "level": alarm.level.name.lower(),
        "measured": round(alarm.measured_value, 3),
        "limit": round(alarm.limit_value, 3),
        "late": alarm.late,
        "subject": alarm.subject,
        "alarm_id": alarm.alarm_id,
    }


def _received(positions: PositionBatch) -> Iterator[PositionBatch]:
    times_ms, start = positions.fix_times_ms, 0
    while start < len(positions):
        end = int(np.searchsorted(times_ms, times_ms[start] + RECEIVED_TOGETHER_MS))
        yield replace(positions.take(np.arange(start, end)), received_time_ms=int(times_ms[end - 1]))
        start = end


def _zipped(file: Path) -> bytes:
    """A Shapefile is several files of one name."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for path in sorted(file.parent.glob(f"{file.stem}.*")):
            archive.write(path, path.name)
    return packed.getvalue()


def _table(rows: Sequence[dict[str, Any]]) -> Table:
    table = Table("time", "vehicle", "what", "fence", "until", "level", "measured", "limit")
    for column in table.columns[::4]:
        column.no_wrap = True
    for row in rows:
        place = (_short(row["time"]), Text(row["vehicle"]))
        if row["what"] == "transition":
            table.add_row(*place, row["transition"], Text(row["fence"]))
        else:
            until = _short(row["clear_time"]) if row["clear_time"] else "still holds"
            rule = f"{row['rule']} bit {row['subject']}" if row["rule"] == TERMINAL else row["rule"]
            values = (f"{row['measured']:g}", f"{row['limit']:g}") if row["limit"] else ()
            table.add_row(*place, Text(rule, "red"), Text(row["fence"]), until, row["level"], *values)
    return table


def _short(written: str) -> str:
    return written[:19].replace("T", " ")


def _summary(trial: Trial, recording: Recording, fence_count: int) -> str:
    flaws = ", ".join(f"{name} {count:,}" for name, count in sorted(trial.flaws.items()) if count)
    parts = [
        f"{len(recording.positions):,} positions of {len(recording.names):,} vehicles against {fence_count:,} fences:",
        f"{len(trial.transitions):,} transitions, {len(trial.alarms):,} alarms;",
        f"positions with flaws: {flaws or 'none'}",
    ]
    if recording.speeds_implied:
        parts.append("(speeds are worked out from the fix before: the file has none)")
    return " ".join(parts)


def _written(time_ms: int) -> str:
    local: datetime = utc(time_ms).astimezone(SHANGHAI)
    return local.isoformat(timespec="milliseconds")


def _kinds() -> list[str]:
    return [kind.name.lower().replace("_", " ") for kind in VehicleKind]
