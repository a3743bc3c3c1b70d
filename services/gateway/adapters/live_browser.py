"""What one browser has been told of the live table, and what it must be told next.

A browser holds no queue of positions: each frame says what changed since the one before, so one that reads slowly gets
the latest of each vehicle. Browsers with the same view and the same number share the work of encoding.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from services.gateway.adapters.live_table import LiveTable, Mask
from services.gateway.convert.live import FrameKind, Ids, View, frame, vehicles_text

FRAME_VEHICLES_MAX = 20_000  # 360 kB; what a browser draws without a pause that is felt

NONE: Ids = np.zeros(0, np.int64)


@dataclass(frozen=True, slots=True)
class Telling:
    """Frames in the order to be sent. `text`: rows of vehicles, empty for none."""

    text: str
    frames: tuple[bytes, ...]


class Encoder:
    """Frames of one table, encoded once for all who need the same. Forgets when the table changes."""

    def __init__(self, table: LiveTable) -> None:
        self.table = table
        self._number = -1
        self._frames: dict[Any, Any] = {}

    def shared(self, key: tuple[Any, ...], make: Any) -> Any:
        """What `make` gives, made once for this key and the table as it is."""
        if self._number != self.table.number:
            self._number = self.table.number
            self._frames.clear()
        if key not in self._frames:
            self._frames[key] = make()
        return self._frames[key]


class Browser:
    """`since`: the number it was told up to; None before its snapshot."""

    def __init__(self, encoder: Encoder, view: View, *, since: int | None = None) -> None:
        self._encoder = encoder
        self._table = encoder.table
        self.view = view
        self.since = since
        self._shown = np.zeros(0, np.bool_)
        self._rows_told = np.zeros(0, np.bool_)
        self._looks_elsewhere = False
        self._reserve()
        if since is not None:  # it shows what is in view, and may still show what has changed since
            self._shown = self._in_view()
            self._shown[self._table.changed(since)] = True

    def look(self, view: View) -> None:
        """Want something else from now on."""
        self._looks_elsewhere = self._looks_elsewhere or view != self.view
        self.view = view

    @property
    def behind(self) -> bool:
        """Whether there is something to tell."""
        return self.since != self._table.number or self._looks_elsewhere

    def next_telling(self, now_ms: int) -> Telling:
        """All that it must be told to be up to date."""
        self._reserve()
        first = self.since is None
        since = self.since or 0
        ids, gone = self._whole(since) if first or self._looks_elsewhere else self._changes(since)
        rows = ids[~self._rows_told[ids] | self._table.rows_changed(ids, since)]
        self._rows_told[ids] = True
        self.since, self._looks_elsewhere = self._table.number, False
        return Telling(self._text(rows), self._frames(ids, gone, snapshot=first, now_ms=now_ms))

    def _whole(self, since: int) -> tuple[Ids, Ids]:
        """What a new view shows besides what was shown, and what it shows no longer."""
        mask = self._in_view()
        changed = np.zeros(self._table.size, np.bool_)
        changed[self._table.changed(since)] = True
        ids, gone = np.flatnonzero(mask & (~self._shown | changed)), np.flatnonzero(self._shown & ~mask)
        self._shown = mask
        return ids, gone

    def _changes(self, since: int) -> tuple[Ids, Ids]:
        changed = self._table.changed(since)
        mask = self._table.matching(changed, self.view)
        told = self._shown[changed]
        self._shown[changed] = mask
        return changed[mask], changed[~mask & told]

    def _in_view(self) -> Mask:
        every = self._table.present()
        mask = np.zeros(self._table.size, np.bool_)
        mask[every] = self._table.matching(every, self.view)
        return mask

    def _text(self, rows: Ids) -> str:
        if not len(rows):
            return ""
        text: str = self._encoder.shared(
            ("rows", rows.tobytes()), lambda: vehicles_text(self._table.rows(rows.tolist()))
        )
        return text

    def _frames(self, ids: Ids, gone: Ids, *, snapshot: bool, now_ms: int) -> tuple[bytes, ...]:
        if not snapshot and not len(ids) and not len(gone):
            return ()
        made: tuple[bytes, ...] = self._encoder.shared(
            ("frames", snapshot, ids.tobytes(), gone.tobytes()), lambda: self._parts(ids, gone, snapshot, now_ms)
        )
        return made

    def _parts(self, ids: Ids, gone: Ids, snapshot: bool, now_ms: int) -> tuple[bytes, ...]:
        """A change may come in parts too; only the last has a number, so that it cannot be resumed from half of it."""
        starts = range(0, max(len(ids), 1), FRAME_VEHICLES_MAX)
        kinds = [FrameKind.SNAPSHOT_MORE if snapshot else FrameKind.CHANGE for _ in starts]
        kinds[0] = FrameKind.SNAPSHOT if snapshot else FrameKind.CHANGE
        return tuple(
            frame(
                kind,
                part := ids[start : start + FRAME_VEHICLES_MAX],
                self._table.records(part),
                gone if start == starts[-1] else NONE,
                epoch=self._table.epoch,
                number=self._table.number if start == starts[-1] else 0,
                base_time_ms=now_ms,
            )
            for kind, start in zip(kinds, starts, strict=True)
        )

    def _reserve(self) -> None:
        more = self._table.size - len(self._shown)
        if more > 0:
            self._shown = np.concatenate([self._shown, np.zeros(more, np.bool_)])
            self._rows_told = np.concatenate([self._rows_told, np.zeros(more, np.bool_)])
