"""A process that clears a day, to be killed: `python -m tests.faults.clearing_run URL FOLDER DAY`."""

from __future__ import annotations

import sys
from pathlib import Path

from common.infra.archive import FolderArchive
from common.infra.postgres import open_pool
from services.etc_billing.adapters.clearing_store import ClearingStore
from services.etc_billing.flows.clearing import clear
from tests.etc_billing.clearing_world import OVER, TARIFF

if __name__ == "__main__":
    url, folder, day = sys.argv[1:]
    with open_pool(url) as pool:
        sys.stdout.write("ready\n")
        sys.stdout.flush()
        clear(
            int(day), tariff=TARIFF, clearings=ClearingStore(pool, url), files=FolderArchive(Path(folder)), clock=OVER
        )
