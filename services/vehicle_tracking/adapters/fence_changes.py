"""What changes among fences, vehicles and terminals while a role runs, looked for several times a second."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from common.errors import Unavailable
from common.infra import diagnostics
from services.vehicle_tracking.adapters.changes import Pool
from services.vehicle_tracking.adapters.fences import load_fences
from services.vehicle_tracking.adapters.registry import load_terminals, load_vehicles
from services.vehicle_tracking.domain.fences import Fence
from services.vehicle_tracking.domain.register import Terminal
from services.vehicle_tracking.domain.vehicle_columns import VehicleRows

VEHICLES_MIN = 1024

log = diagnostics.logger(__name__)


@dataclass(slots=True)
class RuleChanges:
    """Fences and vehicles added, changed and removed since the last look; a later row of a vehicle replaces earlier
    ones."""

    fences: dict[int, Fence] = field(default_factory=dict)
    removed_fence_ids: set[int] = field(default_factory=set)
    vehicles: list[VehicleRows] = field(default_factory=list)

    def __bool__(self) -> bool:
        return bool(self.fences or self.removed_fence_ids or self.vehicles)


class RuleSource:
    """Reads what rules depend on. Thread-safe: one thread looks, another takes."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._lock = threading.Lock()
        self._found = RuleChanges()
        self._fence_sequence = 0
        self._vehicle_sequence = 0

    def look(self) -> None:
        """Ask the database what has changed. Raises Unavailable."""
        fences = load_fences(self._pool, self._fence_sequence)
        vehicles = load_vehicles(self._pool, self._vehicle_sequence)
        self._fence_sequence, self._vehicle_sequence = fences.sequence, vehicles.sequence
        with self._lock:
            for fence in fences.fences:
                self._found.fences[fence.fence_id] = fence
                self._found.removed_fence_ids.discard(fence.fence_id)
            for fence_id in fences.deleted_ids:
                self._found.fences.pop(fence_id, None)
                self._found.removed_fence_ids.add(fence_id)
            if len(vehicles.rows):
                self._found.vehicles.append(vehicles.rows)

    def take(self) -> RuleChanges:
        """What has been found since the last call; false when nothing."""
        if not self._found:
            return self._found
        with self._lock:
            found, self._found = self._found, RuleChanges()
        return found


class Register:
    """The terminals, and which vehicles there are: what access decides by. Read by one thread, changed by another."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._terminals: dict[str, Terminal] = {}
        self._known = np.zeros(VEHICLES_MIN, np.bool_)
        self._terminal_sequence = 0
        self._vehicle_sequence = 0

    def look(self) -> None:
        """Ask the database what has changed. Raises Unavailable."""
        terminals = load_terminals(self._pool, self._terminal_sequence)
        vehicles = load_vehicles(self._pool, self._vehicle_sequence)
        self._terminal_sequence, self._vehicle_sequence = terminals.sequence, vehicles.sequence
        for terminal in terminals.terminals:
            self._terminals[terminal.phone] = terminal
        for phone in terminals.deleted_phones:
            self._terminals.pop(phone, None)
        ids = vehicles.rows.vehicle_ids
        id_max = int(ids.max(initial=0))
        if id_max >= len(self._known):
            more = max(id_max + 1, 2 * len(self._known)) - len(self._known)
            self._known = np.concatenate([self._known, np.zeros(more, np.bool_)])
        self._known[ids] = ~vehicles.rows.deleted

    def note(self, terminal: Terminal) -> None:
        """Take a terminal that this process has just registered, before the next look finds it."""
        self._terminals[terminal.phone] = terminal

    def find_terminal(self, phone: str) -> Terminal | None:
        """The terminal of that phone."""
        return self._terminals.get(phone)

    def known_vehicles(self) -> NDArray[np.bool_]:
        """(m,): whether there is a vehicle of each id."""
        return self._known


class Watch:
    """A thread that looks again and again."""

    def __init__(self, look: Callable[[], None], *, interval_ms: int, name: str) -> None:
        self._look = look
        self._interval_s = interval_ms / 1000
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        """Look once, here, then go on in the thread. Raises Unavailable when the first look fails."""
        self._look()
        self._thread.start()

    def close(self) -> None:
        """Look no more."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join()

    def _run(self) -> None:
        while not self._stop.wait(self._interval_s):
            try:
                self._look()
            except Unavailable as error:
                log.warning("changes not read", what=self._thread.name, error=str(error))
