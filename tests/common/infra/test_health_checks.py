"""A probe has its answer at once, whatever the server does."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import pytest

from common.errors import Unavailable
from common.infra.health_checks import PromptCheck


class Server:
    """Answers, refuses while `away`, and is silent while `awake` is not set."""

    def __init__(self) -> None:
        self.away = False
        self.questions = 0
        self.awake = threading.Event()
        self.awake.set()

    def ping(self) -> None:
        self.questions += 1
        self.awake.wait(10)
        if self.away:
            raise Unavailable("REDIS_AWAY", "Redis does not answer")


def eventually_well(check: Callable[[], None]) -> bool:
    deadline_s = time.monotonic() + 10
    while time.monotonic() < deadline_s:
        try:
            check()
        except Unavailable:
            time.sleep(0.01)
        else:
            return True
    return False


def test_many_probes_cost_the_server_one_question() -> None:
    server = Server()
    check = PromptCheck(server.ping, fresh_s=60)
    for _ in range(5):
        check()
    assert server.questions == 1


def test_a_refusal_is_repeated_until_the_server_is_back() -> None:
    server = Server()
    server.away = True
    check = PromptCheck(server.ping, fresh_s=0)
    for _ in range(2):
        with pytest.raises(Unavailable, match="Redis does not answer"):
            check()
    server.away = False
    assert eventually_well(check)


def test_a_silent_server_is_said_to_be_silent_and_the_probe_does_not_wait_for_it() -> None:
    server = Server()
    check = PromptCheck(server.ping, fresh_s=0, silent_s_max=0.3)
    check()
    server.awake.clear()
    started_s = time.monotonic()
    check()  # it was well just now
    time.sleep(0.1)
    with pytest.raises(Unavailable, match=r"has not answered for \d s"):
        check()
    assert time.monotonic() - started_s < 1
    assert server.questions == 2
    server.awake.set()
    assert eventually_well(check)


def test_a_server_that_never_answered_is_not_well() -> None:
    server = Server()
    server.awake.clear()
    with pytest.raises(Unavailable, match="has not answered yet"):
        PromptCheck(server.ping)()
    server.awake.set()
