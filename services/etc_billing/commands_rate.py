"""`xiangtong billing rate`: what a tariff would charge for exit records, and why, without posting anything."""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from rich.console import Console
from rich.progress import Progress

from common.errors import InvalidInput, Violation
from services.etc_billing.adapters.passage_files import ExitChunk, exits_in
from services.etc_billing.adapters.tariff_files import TariffImport, tariff_in
from services.etc_billing.domain.explanation import Language, explanation, refusal, yuan
from services.etc_billing.domain.passages import NO_FEE_FEN
from services.etc_billing.domain.rating import Charges, RatingRules, Reason, rate
from services.etc_billing.domain.tariff import Tariff

ERRORS_PRINTED_MAX = 20
_LANE = {Language.ZH: "车道已收 {lane} 元", Language.EN: "the lane has charged {lane} yuan"}


@dataclass(slots=True)
class Totals:
    """What came of a file. `differing`: passages for which the lane charged something else."""

    passages: int = 0
    payable_fen: int = 0
    charge_fen: int = 0
    differing: int = 0
    refused: Counter[str] = field(default_factory=Counter)

    def take(self, chunk: ExitChunk, charges: Charges) -> None:
        """Add what a chunk came to."""
        rated, lane_fen = charges.reasons == Reason.NONE, chunk.records.passages.fees_fen
        self.passages += int(np.count_nonzero(rated))
        self.payable_fen += int(charges.payable_fen[rated].sum())
        self.charge_fen += int(charges.charge_fen[rated].sum())
        told = rated & (lane_fen != NO_FEE_FEN)
        self.differing += int(np.count_nonzero(told & (lane_fen != charges.charge_fen)))
        self.refused.update(rejection.reason for rejection in chunk.rejections)
        self.refused.update(Reason(reason).name for reason in charges.reasons[~rated].tolist())


def rate_file(
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="exit records, a JSON object a line")],
    tariff: Annotated[
        Path, typer.Option("--tariff", exists=True, file_okay=False, help="folder of the tariff: tables and rules.json")
    ],
    language: Annotated[Language, typer.Option("--language", help="of the explanations")] = Language.ZH,
    as_json: Annotated[bool, typer.Option("--json", help="print a JSON object a passage instead of words")] = False,
) -> None:
    """Print what a tariff charges for exit records and why. Nothing is posted."""
    told = Console(stderr=True)
    try:
        known, rules = _tariff(tariff, told)
        totals = Totals()
        # Not where the charges themselves scroll by; and what is printed stays on stdout, not above the bar.
        with Progress(console=told, transient=True, redirect_stdout=False, disable=sys.stdout.isatty()) as progress:
            bar = progress.add_task("exit records", total=file.stat().st_size)
            for chunk in exits_in(file, known):
                charges = rate(chunk.records.passages, known, rules)
                totals.take(chunk, charges)
                for row in _rows(chunk, charges, rules, language):
                    sys.stdout.write(json.dumps(row, ensure_ascii=False) + "\n" if as_json else _words(row))
                progress.advance(bar, chunk.byte_count)
    except InvalidInput as error:
        told.print(error.message, style="red", markup=False)
        raise typer.Exit(1) from None
    told.print(_summary(totals), markup=False)


def _tariff(folder: Path, told: Console) -> tuple[Tariff, RatingRules]:
    """The tariff with its rules. Raises InvalidInput that names each error."""
    with told.status("reading the tariff"):
        found: TariffImport = tariff_in(folder)
    if found.tariff is None or found.rules is None:
        more = len(found.errors) - ERRORS_PRINTED_MAX
        lines = [str(error) for error in found.errors[:ERRORS_PRINTED_MAX]]
        lines += [f"… and {more} more"] if more > 0 else []
        raise InvalidInput(Violation(folder.name, "the tariff cannot be used\n" + "\n".join(lines)))
    if found.missing_price_count:
        what = f"{found.missing_price_count:,} of {found.tariff.prices_fen.size:,} prices are missing"
        told.print(f"{what}: passages that need one are refused", style="yellow", markup=False)
    return found.tariff, found.rules


def _rows(chunk: ExitChunk, charges: Charges, rules: RatingRules, language: Language) -> Iterator[dict[str, Any]]:
    """An object for every line of the file that has content: charges first, then lines that are no exit records."""
    records = chunk.records
    counts = np.diff(records.passages.intervals.starts).tolist()
    for row, line in enumerate(chunk.lines):
        reason, lane_fen = Reason(int(charges.reasons[row])), int(records.passages.fees_fen[row])
        trace_lines = charges.trace.lines_of(row)
        lines = (
            [refusal(reason, language)]
            if reason
            else explanation(trace_lines, interval_count=counts[row], rules=rules, language=language)
        )
        if lane_fen not in (NO_FEE_FEN, charges.charge_fen[row]):
            lines.append(_LANE[language].format(lane=yuan(lane_fen)))
        yield {
            "line": line,
            "exit_id": records.identities["exit_id"][row].decode(),
            "plate": records.identities["plate"][row].decode(errors="replace"),
            "payable_fen": None if reason else int(charges.payable_fen[row]),
            "charge_fen": None if reason else int(charges.charge_fen[row]),
            "lane_fen": None if lane_fen == NO_FEE_FEN else lane_fen,
            "reason": reason.name if reason else "",
            "explanation": lines,
        }
    for rejection in chunk.rejections:
        yield {"line": rejection.line, "reason": rejection.reason, "explanation": [rejection.message]}


def _words(row: dict[str, Any]) -> str:
    """A heading and the explanation below it."""
    heading = " ".join(str(row[name]) for name in ("exit_id", "plate") if name in row)
    if row["reason"]:
        heading = f"{heading} {row['reason']}".strip()
    return f"{row['line']}: {heading}\n" + "".join(f"    {line}\n" for line in row["explanation"])


def _summary(totals: Totals) -> str:
    refused = ", ".join(f"{reason} {count:,}" for reason, count in sorted(totals.refused.items()))
    return (
        f"{totals.passages:,} passages: {yuan(totals.payable_fen)} yuan by the tariff,"
        f" {yuan(totals.charge_fen)} yuan due; the lane charged otherwise: {totals.differing:,};"
        f" refused: {refused or 'none'}"
    )
