"""`xiangtong billing post`: a file is posted, sent again, and each refused line is in the disposition file."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import grpc
import pytest
from typer.testing import CliRunner
from xiangtong.billing.v1 import billing_service_pb2 as pb

from common.clock import ManualClock
from common.infra.migrations import migrate
from common.infra.postgres import open_pool
from services.command_line import app
from services.etc_billing.adapters.ledger_store import LedgerStore
from services.etc_billing.convert.exit_records import exit_records_of, post_response
from services.etc_billing.flows.posting import posted
from services.etc_billing.server.billing import NAME
from tests.etc_billing.exit_world import INTERVALS, STATION, exit_id, rated

pytestmark = [pytest.mark.enable_socket, pytest.mark.services("postgres")]
MIGRATIONS = Path(__file__).resolve().parents[2] / "services" / "etc_billing" / "migrations"


def line(number: int, **other: Any) -> str:
    """A line of a file."""
    usual = {
        "exit_id": exit_id(number),
        "pass_id": f"0143019999000000{number:06d}20261125090000",
        "issuer_id": "430101",
        "plate": "湘A00001",
        "entry_station_id": STATION,
        "entry_time": "2026-11-25T09:00:00+08:00",
        "exit_time": "2026-11-25T10:00:00+08:00",
        "vehicle_type": 1,
        "media_type": 1,
        "fee_class": 1,
        "intervals": [{"interval_id": INTERVALS[0], "pass_time": "2026-11-25T09:30:00+08:00"}],
    }
    return json.dumps(usual | other, ensure_ascii=False) + "\n"


@pytest.fixture
def address(postgres_url: str) -> Iterator[str]:
    """A server that posts with the flow of the role."""
    migrate(postgres_url, MIGRATIONS)
    with open_pool(postgres_url) as pool:
        post = partial(posted, ledger=LedgerStore(pool, 1), rating=rated, clock=ManualClock(1))

        def answer(request: pb.PostPassageRecordsRequest, context: Any) -> Any:
            return post_response(post(exit_records_of(request.exits)))

        method = grpc.unary_unary_rpc_method_handler(
            answer, pb.PostPassageRecordsRequest.FromString, pb.PostPassageRecordsResponse.SerializeToString
        )
        server = grpc.server(ThreadPoolExecutor(1))
        server.add_generic_rpc_handlers([grpc.method_handlers_generic_handler(NAME, {"PostPassageRecords": method})])
        port = server.add_insecure_port("127.0.0.1:0")
        server.start()
        yield f"127.0.0.1:{port}"
        server.stop(None).wait()


def test_a_file_can_be_sent_again_and_what_is_refused_is_written_beside_it(address: str, tmp_path: Path) -> None:
    file, runner = tmp_path / "exits.jsonl", CliRunner()
    file.write_text("".join(map(line, range(3))), "utf-8")
    first = runner.invoke(app, ["billing", "post", str(file), "--api", address])
    assert (first.exit_code, first.output.splitlines()[-1]) == (0, "3 created")
    file.write_text(line(0) + line(1, plate="湘A00002") + "nonsense\n" + line(7, vehicle_type=9), "utf-8")
    second = runner.invoke(app, ["billing", "post", str(file), "--api", address])
    assert second.exit_code == 1
    assert "1 exists, 1 exists_different, 2 rejected" in second.output
    found = (tmp_path / "exits.jsonl.dispositions.csv").read_text("utf-8").splitlines()
    assert found[1] == "2,EXISTS_DIFFERENT,plate"
    assert [row.split(":")[0] for row in found[2:]] == [
        "3,REJECTED,LINE_UNREADABLE", "4,REJECTED,VEHICLE_TYPE_UNKNOWN",
    ]  # fmt: skip


def test_a_server_that_is_away_is_said(tmp_path: Path, free_port: int) -> None:
    file = tmp_path / "exits.jsonl"
    file.write_text(line(0), "utf-8")
    result = CliRunner().invoke(app, ["billing", "post", str(file), "--api", f"127.0.0.1:{free_port}"])
    assert result.exit_code == 1
    assert "send the file again" in " ".join(result.output.split())
