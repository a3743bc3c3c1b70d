"""Mutated frames: no crash, no memory without bound, every complete frame a row or a rejection with its reason."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import tracemalloc
from pathlib import Path

import psutil
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.vehicle_tracking.terminals.jt808.columns import Reason
from tests.faults.jt808_fuzzer import LINKS, TICK_FRAMES, Fuzzer, Tally, corpus, mutant

ROOT = Path(__file__).resolve().parents[2]
SLICE, TRACED, ALL, CHECKED = 20_000, 2_000, 1_000_000, 100_000
TRACED_BYTES_MAX = 8 * 1024 * 1024  # a tick of 500 frames takes one or two
GROWTH_BYTES_MAX = 32 * 1024 * 1024  # of which parts that wait may hold most
RARE = {Reason.PART_TIMEOUT.name, Reason.PART_BOUNDS.name}  # a short run need not come to them


def test_a_slice_of_mutated_frames_is_survived_within_memory() -> None:
    rng = seeded()
    contents, fuzzer = corpus(rng), Fuzzer(rng)
    for _ in range(0, SLICE - TRACED, TICK_FRAMES):
        fuzzer.tick([mutant(rng, contents) for _ in range(TICK_FRAMES)])
    tracemalloc.start()  # ten times slower from here on
    try:
        for _ in range(0, TRACED, TICK_FRAMES):
            fuzzer.tick([mutant(rng, contents) for _ in range(TICK_FRAMES)])
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < TRACED_BYTES_MAX
    complete(fuzzer.tally, at_least=SLICE)


@pytest.mark.faults
@pytest.mark.timeout(1800)
def test_a_million_mutated_frames_are_survived_without_growth() -> None:
    rng = seeded()
    contents, fuzzer, process = corpus(rng), Fuzzer(rng), psutil.Process()
    sizes = []
    for count in range(0, ALL, TICK_FRAMES):
        fuzzer.tick([mutant(rng, contents) for _ in range(TICK_FRAMES)])
        if count % (ALL // 10) == 0:
            sizes.append(process.memory_info().rss)
    sys.stdout.write(f"{fuzzer.tally}\nresident MB at each tenth: {[size >> 20 for size in sizes]}\n")
    assert sizes[-1] - sizes[1] < GROWTH_BYTES_MAX
    complete(fuzzer.tally, at_least=ALL)
    assert set(fuzzer.tally.rejections) == {reason.name for reason in Reason}


@pytest.mark.faults
@pytest.mark.timeout(1800)
@settings(max_examples=3000, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.integers(0, 2**64 - 1), st.lists(st.binary(max_size=60), max_size=2 * LINKS), st.integers(0, 40))
def test_mutants_among_any_bytes_are_survived(seed: int, noise: list[bytes], mutants: int) -> None:
    rng = random.Random(seed)
    contents, fuzzer = corpus(rng), Fuzzer(rng)
    pieces = noise + [mutant(rng, contents) for _ in range(mutants)]
    rng.shuffle(pieces)
    fuzzer.tick(pieces)
    fuzzer.tick([b"\x7e"] * LINKS)


@pytest.mark.faults
@pytest.mark.timeout(1800)
def test_compiled_code_reads_and_writes_within_its_arrays(tmp_path: Path) -> None:
    seed = seeded().randrange(2**32)
    environment = os.environ | {
        "NUMBA_BOUNDSCHECK": "1",
        "NUMBA_CACHE_DIR": str(tmp_path),
        "PYTHONPATH": f"{ROOT}:{ROOT / 'gen'}",
    }
    run = [sys.executable, "-m", "tests.faults.jt808_fuzzer", str(seed), str(CHECKED)]
    done = subprocess.run(run, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=1700, check=False)
    sys.stdout.write(f"bounds checked: {done.stdout}{done.stderr[-2000:]}\n")
    assert done.returncode == 0


@pytest.mark.faults
def test_the_bounds_are_really_checked(tmp_path: Path) -> None:
    """Else the test above would prove nothing."""
    environment = os.environ | {"NUMBA_BOUNDSCHECK": "1", "NUMBA_CACHE_DIR": str(tmp_path)}
    program = (
        "import numpy as np\n"
        "from services.vehicle_tracking.terminals.jt808.kernel_location import instant_s\n"
        "instant_s(np.zeros(3, np.uint8), 0)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert "IndexError" in done.stderr


def seeded() -> random.Random:
    """A source that another run can have again."""
    seed = int(os.environ.get("FUZZ_SEED", random.randrange(2**32)))
    sys.stdout.write(f"FUZZ_SEED={seed} repeats this run\n")
    return random.Random(seed)


def complete(tally: Tally, *, at_least: int) -> None:
    """Every complete frame was usable or rejected for a reason, and every reason came."""
    assert tally.complete > at_least * 0.9
    assert tally.usable > at_least * 0.2
    assert tally.positions > at_least * 0.1
    assert tally.joined > at_least * 0.002
    assert tally.usable + sum(tally.rejections.values()) >= tally.complete
    assert set(tally.rejections) >= {reason.name for reason in Reason} - RARE
