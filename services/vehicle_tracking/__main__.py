"""Wiring of the roles access, engine and api: opens what they need, joins it, and closes it in reverse."""

from __future__ import annotations

import asyncio
import signal
import sys
import threading
from collections.abc import Callable, Coroutine, Sequence
from contextlib import ExitStack

import uvloop

from common.clock import SystemClock
from common.errors import Unavailable
from common.infra import diagnostics
from common.infra.archive import Archive, open_archive
from common.infra.event_logs import open_log
from common.infra.grpc import serve
from common.infra.health_checks import PromptCheck
from common.infra.health_http import Check, serve_health
from common.infra.log import Consumer, EventLog, GroupCallbacks
from common.infra.postgres import open_pool
from common.infra.redis import connect, connect_async, ping
from common.infra.servers import postgres_url, redis_url
from common.infra.settings import load
from services.vehicle_tracking.adapters.access_letters import RefusedFrames
from services.vehicle_tracking.adapters.access_server import serve_access
from services.vehicle_tracking.adapters.alarms import AlarmOutlet, AlarmStore
from services.vehicle_tracking.adapters.changes import Pool, check_answers
from services.vehicle_tracking.adapters.checkpoints import Checkpoints
from services.vehicle_tracking.adapters.dead_letters import DeadLetters
from services.vehicle_tracking.adapters.fence_changes import Register, RuleSource, Watch
from services.vehicle_tracking.adapters.ingest import Publisher
from services.vehicle_tracking.adapters.live_state import LiveState
from services.vehicle_tracking.adapters.rules import EngineRules
from services.vehicle_tracking.adapters.track_files import TrackFiles
from services.vehicle_tracking.adapters.tracks import Tracks
from services.vehicle_tracking.domain.topics import ENGINE_GROUP, POSITIONS
from services.vehicle_tracking.flows.engine import Engine
from services.vehicle_tracking.flows.ports import EngineSettings, Stores
from services.vehicle_tracking.flows.writer import BackgroundWriter
from services.vehicle_tracking.server import api_services
from services.vehicle_tracking.server.ingest import IngestServer, ingest_service
from services.vehicle_tracking.settings import TrackingSettings

SERVERS = ("postgres", "event log", "redis")
RETRY_S = 0.5  # between attempts to reach a log that is away

log = diagnostics.logger(__name__)


def run(role: str) -> None:
    """Run a role until SIGTERM or SIGINT."""
    settings = load(TrackingSettings)
    diagnostics.configure(f"tracking-{role}", settings)
    with ExitStack() as stack:
        _ROLES[role](settings, stack)


class _Parts:
    """What every role stands on, closed when the stack is."""

    def __init__(self, settings: TrackingSettings, stack: ExitStack) -> None:
        self.redis_url = redis_url(settings)
        self.pool: Pool = open_pool(postgres_url(settings))
        stack.callback(self.pool.close)
        self.log: EventLog = open_log(settings)
        stack.callback(self.log.close)
        self.archive: Archive = open_archive(settings)
        self._settings, self._stack = settings, stack

    def serve_health(self, ready: threading.Event, servers: Sequence[str] = SERVERS) -> None:
        """Answer probes: ready once `ready` is set and each of the `servers` answers."""
        questions: dict[str, Check] = {
            "postgres": lambda: check_answers(self.pool),
            "event log": self.log.ping,
            "redis": lambda: ping(self.redis_url),
        }

        def started() -> None:
            if not ready.is_set():
                raise Unavailable("STARTING", "the role is starting")

        checks: dict[str, Check] = {"role": started, **{name: PromptCheck(questions[name]) for name in servers}}
        self._stack.callback(serve_health(self._settings, ready=checks).close)


def _run_api(settings: TrackingSettings, stack: ExitStack) -> None:
    """Answers people and programs."""
    parts, ready = _Parts(settings, stack), threading.Event()
    parts.serve_health(ready)
    alarms = AlarmStore(parts.pool, connect(parts.redis_url))
    tracks = Tracks(parts.pool, parts.archive, parts.log, partition_count=settings.partition_count)
    count = settings.partition_count

    async def serving() -> None:
        redis = connect_async(parts.redis_url)
        async with api_services(
            pool=parts.pool, redis=redis, partition_count=count, alarms=alarms, tracks=tracks
        ) as services:
            await serve(
                services, settings, host=settings.api_host, port=settings.api_port, started=lambda _: ready.set()
            )
        await redis.aclose()

    _run_loop(serving())


def _run_engine(settings: TrackingSettings, stack: ExitStack) -> None:
    """Judges the positions of the partitions that its group gives it."""
    parts, ready, stop = _Parts(settings, stack), threading.Event(), threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    parts.serve_health(ready)
    source = RuleSource(parts.pool)
    watch = Watch(source.look, interval_ms=settings.changes_poll_ms, name="rule-changes")
    watch.start()
    stack.callback(watch.close)
    writer = BackgroundWriter()
    stack.callback(writer.close)
    rules = EngineRules(source, settings)
    stack.callback(rules.close)
    rules.warm_up()
    engine = Engine(rules, _stores(parts, settings, stack), writer, SystemClock(), _engine_settings(settings))
    consumer = parts.log.consumer(ENGINE_GROUP, [POSITIONS], GroupCallbacks(engine.assigned, engine.revoked))
    try:
        ready.set()
        while not stop.is_set():
            _cycle(engine, consumer, stop)
        engine.revoked(sorted(consumer.assignment()))
    finally:
        consumer.close()


def _stores(parts: _Parts, settings: TrackingSettings, stack: ExitStack) -> Stores:
    redis, producer, count = connect(parts.redis_url), parts.log.producer(), settings.partition_count
    stack.callback(producer.close)
    live = LiveState(redis, SystemClock(), partition_count=count, interval_ms=settings.live_interval_ms)
    stack.callback(live.close)
    return Stores(
        outlet=AlarmOutlet(parts.pool, redis, producer, partition_count=count),
        live=live,
        tracks=TrackFiles(parts.pool, parts.archive),
        checkpoints=Checkpoints(parts.pool, parts.archive),
        bury=DeadLetters(producer).bury,
        bounds=parts.log.bounds,
    )


def _engine_settings(settings: TrackingSettings) -> EngineSettings:
    return EngineSettings(
        partition_count=settings.partition_count,
        poll_ms=settings.poll_ms,
        checkpoint_interval_s=settings.checkpoint_interval_s,
        checkpoint_positions_max=settings.checkpoint_positions_max,
        poison_share_max=settings.poison_share_max,
    )


def _cycle(engine: Engine, consumer: Consumer, stop: threading.Event) -> None:
    try:
        engine.cycle(consumer)
    except Unavailable as error:
        log.warning("positions not read", error=str(error))
        stop.wait(RETRY_S)


def _run_loop(work: Coroutine[None, None, None]) -> None:
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(work)


def _run_access(settings: TrackingSettings, stack: ExitStack) -> None:
    """Takes positions of terminals on TCP and of programs on gRPC."""
    parts, ready = _Parts(settings, stack), threading.Event()
    parts.serve_health(ready, ("postgres", "event log"))
    register = Register(parts.pool)
    watch = Watch(register.look, interval_ms=settings.changes_poll_ms, name="register-changes")
    watch.start()
    stack.callback(watch.close)
    producer, clock = parts.log.producer(), SystemClock()
    stack.callback(producer.close)
    letters = parts.log.producer()  # its own: a letter must not share a commit with positions
    stack.callback(letters.close)
    refused = RefusedFrames(letters, clock)
    stack.callback(refused.close)

    async def serving() -> None:
        publisher = Publisher(
            producer,
            partition_count=settings.partition_count,
            waiting_positions_max=settings.access_waiting_positions_max,
        )
        terminals = await serve_access(settings, register, publisher, clock, pool=parts.pool, refused=refused)
        ingest = ingest_service(IngestServer(publisher.publish, register.known_vehicles, clock))
        await serve(
            [ingest], settings, host=settings.ingest_host, port=settings.ingest_port, started=lambda _: ready.set()
        )
        await terminals.drain(settings.drain_s)
        await publisher.drain()

    _run_loop(serving())


_ROLES: dict[str, Callable[[TrackingSettings, ExitStack], None]] = {
    "access": _run_access,
    "api": _run_api,
    "engine": _run_engine,
}

if __name__ == "__main__":
    run(sys.argv[1])
