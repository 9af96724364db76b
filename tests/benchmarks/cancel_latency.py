"""How soon a render that is cancelled at a random moment has ended, in milliseconds and in steps.

    python tests/benchmarks/cancel_latency.py [--cancels 200]

Latency is from sending ``job/cancel`` to the render's ``cancelled``, over TCP. Reports of progress
are thinned, so steps are counted by time: latency over the length of one sampler step of the
starter, the median of what the reports of all these renders say. Fails unless 99 of 100 end within
the step that runs and one more, and none leaves a file. For an idle machine.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import random
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from itertools import pairwise
from pathlib import Path
from typing import Any

from engine_process import ROOT, running_engine

from osc_bridge.caller import Call
from osc_bridge.client import Client
from osc_bridge.errors import Cancelled, UnknownJob
from osc_bridge.events import Progress
from osc_bridge.schema import CancelJob, Render

DURATION_S = 4.0
SAMPLER_STEPS = 12
"""Of a final render; the steps after these are the vocoder's, which are shorter."""
STEPS_ALLOWED = 2.0
UNDISTURBED = 3
_END_S = 120.0


class Artist:
    """A client with one scene, which is another one for each render."""

    def __init__(self, client: Client, seed: int) -> None:
        self._client = client
        self._scene = client.new_scene("Cancelled", duration_s=DURATION_S)
        self._sources = [client.add_text(self._scene, text) for text in ("rain", "a dog barks")]
        self._seed = seed
        self._reports: list[tuple[float, Progress]] = []

    def begin(self) -> Call[Any]:
        """Begin a render of which the stem cache knows nothing."""
        self._seed += 1
        self._client.set_scene(self._scene, seed=self._seed)
        for source in self._sources:
            self._client.set(self._scene, source, seed=self._seed)
        return self._client.start(Render(self._scene))

    def undisturbed_s(self) -> float:
        """Return how long a render takes that nobody cancels."""
        begin_s = time.perf_counter()
        self.begin().result(_END_S, self._note)
        return time.perf_counter() - begin_s

    def cancel_after(self, wait_s: float) -> float | None:
        """Cancel a render after a while; return the latency, or None when it had ended before."""
        call = self.begin()
        end_s: list[float] = []

        def wait() -> None:
            try:
                call.result(_END_S, self._note)
            except Cancelled:
                end_s.append(time.perf_counter())

        waiting = threading.Thread(target=wait)
        waiting.start()
        time.sleep(wait_s)
        asked_s = time.perf_counter()
        with suppress(UnknownJob):
            self._client.call(CancelJob(call.request_id))
        waiting.join()
        return end_s[0] - asked_s if end_s else None

    def step_s(self) -> float:
        """Return how long a step of the sampler took, in all renders so far."""
        return statistics.median(_step_lengths(self._reports))

    def _note(self, report: Progress) -> None:
        """Keep the first report of each step: the same is repeated while the next one runs."""
        if not self._reports or self._reports[-1][1] != report:
            self._reports.append((time.perf_counter(), report))


def _step_lengths(reports: Sequence[tuple[float, Progress]]) -> Iterator[float]:
    """Yield the seconds that a step took on average between two reports of one sampler run."""
    for (before_s, before), (after_s, after) in pairwise(reports):
        steps = after.step - before.step
        work, next_work = ((e.request_id, e.sentence) for e in (before, after))
        is_sampler = after.sentence.startswith("Rendering ") and after.step <= SAMPLER_STEPS
        if work == next_work and steps > 0 and is_sampler:
            yield (after_s - before_s) / steps


def measure(session: Path, cancels: int, seed: int, threads: int) -> dict[str, Any]:
    """Return the figures; ``left`` are files that a cancelled render left."""
    pack = ROOT / "presets" / "packs" / "starter"
    moments = random.Random(seed)
    latencies_s: list[float] = []
    left: list[str] = []
    too_late = 0
    with (
        running_engine(session, pack, threads=threads) as engine,
        Client.connect(engine.tcp_port) as client,
    ):
        artist = Artist(client, seed)
        duration_s = statistics.median(artist.undisturbed_s() for _ in range(UNDISTURBED))
        while len(latencies_s) < cancels:
            there = _files(session)
            latency_s = artist.cancel_after(moments.uniform(0.0, duration_s))
            if latency_s is None:
                too_late += 1
                continue
            latencies_s.append(latency_s)
            left += sorted(_files(session) - there)
    step_s = artist.step_s()
    return {
        "cancels": cancels,
        "threads": threads,
        "ended_before": too_late,
        "render_s": round(duration_s, 3),
        "sampler_step_ms": round(1000 * step_s, 2),
        "latency_ms": _quantiles([1000 * latency_s for latency_s in latencies_s]),
        "latency_steps": _quantiles([latency_s / step_s for latency_s in latencies_s]),
        "left": left,
    }


def _files(session: Path) -> set[str]:
    folders = (session / name for name in ("stems", "takes", "jobs"))
    return {str(path.relative_to(session)) for folder in folders for path in folder.rglob("*")}


def _quantiles(values: Sequence[float]) -> dict[str, float]:
    ordered = sorted(values)

    def at(share: float) -> float:
        return round(ordered[max(0, math.ceil(share * len(ordered)) - 1)], 2)

    return {"p50": at(0.5), "p99": at(0.99), "max": at(1.0)}


def main() -> None:
    """Measure, print the figures, and fail when the promise is not kept."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cancels", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        figures = measure(Path(folder) / "session", given.cancels, given.seed, given.threads)
    figures["ok"] = figures["latency_steps"]["p99"] <= STEPS_ALLOWED and not figures["left"]
    print(json.dumps(figures, indent=1))
    sys.exit(not figures["ok"])


if __name__ == "__main__":
    main()
