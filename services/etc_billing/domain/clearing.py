"""Clearing: the charges of a day, split among owners, as sheets that each owner can check line by line."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b, sha256
from typing import NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from services.etc_billing.domain.identifiers import KEY_SIZE
from services.etc_billing.domain.merkle import Proof, tree, verify
from services.etc_billing.domain.passages import Bytes, Int32s, Int64s
from services.etc_billing.domain.split import allocated_fen, id_ranks
from services.etc_billing.domain.tariff import Tariff

COLUMNS = b"exit_id,interval_id,fee_fen\n"


@dataclass(frozen=True, slots=True)
class Due:
    """Passages that are due, (n,) each: keys V16, exit ids S40, what they cost, when they left and with what vehicle.
    The network numbers of their intervals, (m,), lie between `starts`, (n + 1,)."""

    keys: NDArray[np.void]
    exit_ids: NDArray[np.bytes_]
    charges_fen: Int64s
    exit_times_ms: Int64s
    vehicle_types: Bytes
    starts: Int64s
    interval_numbers: Int32s

    def __len__(self) -> int:
        return len(self.keys)

    @classmethod
    def joined(cls, parts: Sequence[Self]) -> Self:
        """All of several, in their order."""
        counts = np.concatenate([np.diff(part.starts) for part in parts])
        columns = {
            name: np.concatenate([getattr(part, name) for part in parts])
            for name in cls.__dataclass_fields__
            if name != "starts"
        }
        return cls(**columns, starts=np.concatenate([[0], np.cumsum(counts)]).astype(np.int64))


@dataclass(frozen=True, slots=True)
class Lines:
    """What owners get, (k,) each: of every passage and interval once, by owner, exit id and interval id. `owners`:
    names, in order; `owner_ranks`: indices of them; `rows`: of passages."""

    owners: tuple[str, ...]
    owner_ranks: Int32s
    rows: Int32s
    interval_numbers: Int32s
    fees_fen: Int64s


class Group(NamedTuple):
    """What an owner gets for a section, all passages together."""

    owner: str
    section: str
    amount_fen: int


class Sheet(NamedTuple):
    """An owner's day. `content`: the bytes of its file; `digest`: their SHA-256; `root`: of the tree over its lines."""

    owner: str
    root: bytes
    digest: bytes
    line_count: int
    passage_count: int
    total_fen: int
    content: bytes


class LineProof(NamedTuple):
    """That a line, as it stands in the file, is one of an owner's day."""

    line: str
    proof: Proof


def weights_fen(due: Due, tariff: Tariff) -> Int64s:
    """What the tariff in force at its exit asks of each passage for each interval, (m,); NO_PRICE_FEN for none."""
    versions = tariff.version_rows(due.exit_times_ms)
    return tariff.prices_of(versions, due.vehicle_types, due.starts, due.interval_numbers)


def lines_of(due: Due, weights: Int64s, tariff: Tariff) -> Lines:
    """Each charge split among its intervals; nothing is lost, and the order in which passages came does not matter.
    `weights`: (m,), none is negative. An interval that was passed twice gets one line with both shares."""
    interval_ids = np.array(tariff.interval_ids or ("",), np.bytes_)
    interval_ranks = id_ranks(interval_ids)
    shares_fen = allocated_fen(due.charges_fen, weights, due.starts, interval_ranks[due.interval_numbers])
    assert shares_fen.sum() == due.charges_fen.sum()
    owners, owner_ranks = np.unique(np.array(tariff.owners or ("",)), return_inverse=True)
    rows = np.repeat(np.arange(len(due)), np.diff(due.starts))
    passage_ranks = id_ranks(due.exit_ids).astype(np.int64)
    places = (owner_ranks[due.interval_numbers] * max(len(due), 1) + passage_ranks[rows]) * len(interval_ids)
    places += interval_ranks[due.interval_numbers]
    unique, firsts, lines = np.unique(places, return_index=True, return_inverse=True)
    fees_fen = np.zeros(len(unique), np.int64)
    np.add.at(fees_fen, lines, shares_fen)
    numbers = due.interval_numbers[firsts]
    return Lines(
        tuple(owners.tolist()), owner_ranks[numbers].astype(np.int32), rows[firsts].astype(np.int32), numbers, fees_fen
    )


def groups_of(lines: Lines, tariff: Tariff) -> list[Group]:
    """What each owner gets for each section, by name; nothing of those that get 0."""
    sections, ranks = np.unique(tariff.sections, return_inverse=True)
    places = lines.owner_ranks.astype(np.int64) * max(len(sections), 1) + ranks[lines.interval_numbers]
    sums_fen = np.zeros(len(lines.owners) * max(len(sections), 1), np.int64)
    np.add.at(sums_fen, places, lines.fees_fen)
    return [
        Group(lines.owners[place // len(sections)], str(sections[place % len(sections)]), int(sums_fen[place]))
        for place in np.flatnonzero(sums_fen).tolist()
    ]


def sheet_of(lines: Lines, owner: int, *, day: str, due: Due, tariff: Tariff) -> Sheet:
    """The sheet of one of `lines.owners`, whose lines may be none. `day`: as it is written, 2026-11-25."""
    first, last = np.searchsorted(lines.owner_ranks, [owner, owner + 1]).tolist()
    part, name = slice(first, last), lines.owners[owner]
    interval_ids = np.array(tariff.interval_ids or ("",), np.bytes_)
    texts = [
        b"%b,%b,%d\n" % line
        for line in zip(
            due.exit_ids[lines.rows[part]].tolist(),
            interval_ids[lines.interval_numbers[part]].tolist(),
            lines.fees_fen[part].tolist(),
            strict=True,
        )
    ]
    mark = _mark(day, name)
    root = tree([mark + text for text in texts]).root
    table = COLUMNS + b"".join(texts)
    passage_count, total_fen = len(np.unique(lines.rows[part])), int(lines.fees_fen[part].sum())
    content = _head(day, name, passage_count, len(texts), total_fen, root, table) + table
    return Sheet(name, root, sha256(content).digest(), len(texts), passage_count, total_fen, content)


def file_name(owner: str) -> str:
    """What an owner's file is called: a name may have characters that no path can have."""
    return f"{blake2b(owner.encode(), digest_size=8).hexdigest()}.csv"


def set_digest(keys: NDArray[np.void]) -> bytes:
    """Of a set of passage keys, (n,) V16: SHA-256 over them in order."""
    return sha256(in_order(keys).tobytes()).digest()


def in_order(keys: NDArray[np.void]) -> NDArray[np.void]:
    """Keys, (n,) V16, by their bytes."""
    return np.sort(keys.view(np.dtype((np.bytes_, KEY_SIZE)))).view(keys.dtype)


def proofs_of(content: bytes, exit_id: str, *, day: str, owner: str) -> tuple[bytes, list[LineProof]]:
    """The root of a sheet's lines, and a proof for each line of a passage, in order."""
    texts = content[content.index(COLUMNS) + len(COLUMNS) :].splitlines(keepends=True)
    mark, wanted = _mark(day, owner), exit_id.encode() + b","
    whole = tree([mark + text for text in texts])
    return whole.root, [
        LineProof(text.decode().rstrip("\n"), whole.proof(place))
        for place, text in enumerate(texts)
        if text.startswith(wanted)
    ]


def proved(line: LineProof, root: bytes, *, day: str, owner: str) -> bool:
    """Whether a line is one of an owner's day with that root."""
    return verify(_mark(day, owner) + line.line.encode() + b"\n", line.proof, root)


def _mark(day: str, owner: str) -> bytes:
    """What each line is hashed with, so that it proves nothing of other owners and days."""
    return f"{day} {owner}\n".encode()


def _head(
    day: str, owner: str, passage_count: int, line_count: int, total_fen: int, root: bytes, table: bytes
) -> bytes:
    text = io.StringIO()
    rows = (
        ("day", day), ("owner", owner), ("passages", passage_count), ("lines", line_count), ("total_fen", total_fen),
        ("root", root.hex()), ("sha256", sha256(table).hexdigest()),
    )  # fmt: skip
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue().encode()
