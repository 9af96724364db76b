"""``kill -9`` at random moments of edits and renders: what is lost, and how soon it answers again.

    python tests/benchmarks/kill_cycles.py [--cycles 200] [--seed 1]

The engine runs under the supervisor of ``wildtrack up``, with each kill taken as the first one
(it starts again after 0.5 s). Three clients work at once: one edits a scene step by step, one sends
settings of another by fifties, one renders. After each kill a new client compares what it finds
with what was acknowledged, and every file of the session is read. Fails when an acknowledged edit
or take is missing, a value or a revision is another, or a file is partial.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from engine_process import ROOT, tiny_pack
from session_files import SessionFiles

from osc_bridge.calls.scenes import Snapshot
from osc_bridge.client import Client
from osc_bridge.errors import EngineUnreachable, ReplyTimeout, WildtrackError
from osc_bridge.fields import Value
from osc_bridge.schema import SceneState, SetSource, SourceRow

DURATION_S = 0.5
KILL_WITHIN_S = 1.5
"""After the first answer, or after the first render where one is waited for."""
RENDER_S = 120.0
BURST = 50
SOURCES = 6
_END_S = 30.0
FAULTS = (
    "edits_lost",
    "revisions_wrong",
    "values_wrong",
    "takes_lost",
    "takes_damaged",
    "files_damaged",
    "partial_files",
    "other_restarts",
)
"""What must not happen, counted."""

SUPERVISOR = """
import json, sys
from pathlib import Path
from plugin_host.supervisor import Backoff, Supervisor, Voice
session, pack = sys.argv[1:]
voice = Voice(lambda said: print(json.dumps(said), flush=True), lambda said: None)
options = ["--session", session, "--pack", pack]
Supervisor(Path(session), options, voice, backoff=Backoff(healthy_s=0.0)).run()
"""


@dataclass
class Editor:
    """Edits one scene step by step and knows what it must be like."""

    scene: str
    luck: random.Random
    revision: int = 0
    rows: tuple[SourceRow, ...] | None = ()
    """None: an edit was acknowledged, but what it made was not seen."""
    pending: tuple[SourceRow, ...] | None = None
    """What the sources are when the edit that was not acknowledged has come in after all."""
    is_pending: bool = False
    edits: int = 0

    def work(self, client: Client) -> None:
        """Edit until the engine is gone."""
        while True:
            rows = self.rows
            assert rows is not None
            if not rows:
                self._do(lambda: client.add_text(self.scene, "rain"), None)
            elif self.luck.random() < 0.75:
                self._set(client, self.luck.choice(rows))
            else:
                self._do(self._other(client, rows), None)
            if self.rows is None:
                self.look(client.snapshot(self.scene))

    def _set(self, client: Client, row: SourceRow) -> None:
        values: list[tuple[str, Value]] = [
            ("gain_db", round(self.luck.uniform(-60, 12), 3)),
            ("pan", round(self.luck.uniform(-1, 1), 3)),
            ("seed", self.luck.randrange(2**62)),
            ("label", f"label {self.luck.randrange(10**6)}"),
        ]
        name, value = self.luck.choice(values)
        assert self.rows is not None
        changed: Any = {name: value}
        after = tuple(replace(r, **changed) if r is row else r for r in self.rows)
        self._do(lambda: client.call(SetSource(self.scene, row.source, name, value)), after)

    def _other(self, client: Client, rows: tuple[SourceRow, ...]) -> Callable[[], object]:
        scene, row = self.scene, self.luck.choice(rows)
        choices: list[Callable[[], object]] = [
            lambda: client.undo(scene),
            lambda: client.redo(scene),
            lambda: client.reorder(scene, row.source, 0),
        ]
        if len(rows) < SOURCES:
            choices.append(lambda: client.add_text(scene, f"sound {self.luck.randrange(20)}"))
        if len(rows) > 1:
            choices.append(lambda: client.remove(scene, row.source))
        return self.luck.choice(choices)

    def _do(self, edit: Callable[[], object], after: tuple[SourceRow, ...] | None) -> None:
        """Make one edit; a refusal, such as nothing to undo, changes nothing."""
        self.is_pending, self.pending = True, after
        try:
            answer = edit()
        except (EngineUnreachable, ReplyTimeout):
            raise
        except WildtrackError:
            self.is_pending = False
            return
        self.is_pending, self.rows = False, after
        if isinstance(answer, SceneState):  # to reorder the first source to the first place is none
            self.revision = answer.revision
        else:
            self.revision += 1
        self.edits += 1

    def look(self, found: Snapshot) -> None:
        """Take the scene as it is."""
        self.revision, self.rows = found.revision, found.sources
        self.is_pending = False

    def check(self, found: Snapshot) -> dict[str, int]:
        """What is lost, and what is neither as acknowledged nor as asked for last."""
        came_in = self.is_pending and found.revision == self.revision + 1
        expected = self.pending if came_in else self.rows
        is_value_wrong = expected is not None and expected != found.sources
        return {
            "edits_lost": max(self.revision - found.revision, 0),
            "revisions_wrong": int(found.revision != self.revision + came_in),
            "values_wrong": int(is_value_wrong),
        }


@dataclass
class Fader:
    """Sends settings of one source by fifties: its label counts them."""

    scene: str
    sent: int = 0
    acknowledged: int = 0
    offset: int | None = None
    """Revision less count: the same for ever."""

    def work(self, client: Client) -> None:
        """Send until the engine is gone."""
        while True:
            first, self.sent = self.sent + 1, self.sent + BURST
            counts = range(first, self.sent + 1)
            calls = [client.start(SetSource(self.scene, "s1", "label", str(n))) for n in counts]
            for count, call in zip(counts, calls, strict=True):
                call.result()
                self.acknowledged = count

    def check(self, found: Snapshot) -> dict[str, int]:
        """As `Editor.check`; goes on from what is found."""
        count = int(found.sources[0].label)
        self.offset = found.revision - count if self.offset is None else self.offset
        faults = {
            "edits_lost": max(self.acknowledged - count, 0),
            "revisions_wrong": int(found.revision - count != self.offset),
            "values_wrong": int(count > self.sent),
        }
        self.sent = self.acknowledged = count
        return faults


@dataclass
class Listener:
    """Renders the edited scene again and again; ``rendered`` is set after the first time."""

    scene: str
    takes: set[str] = field(default_factory=set)
    rendered: threading.Event = field(default_factory=threading.Event)

    def work(self, client: Client) -> None:
        """Render until the engine is gone; a scene in which nothing sounds is tried again."""
        while True:
            try:
                self.takes.add(client.render(self.scene, quality="preview").take)
                self.rendered.set()
            except (EngineUnreachable, ReplyTimeout):
                raise
            except WildtrackError:
                client.ping()


def _until_gone(work: Callable[[Client], None], client: Client) -> None:
    try:
        work(client)
    except (EngineUnreachable, ReplyTimeout):
        pass
    finally:
        client.close()


@contextmanager
def supervised(session: Path, pack: Path) -> Iterator[Callable[[], dict[str, Any]]]:
    """Run the supervisor; yields what reads its next line (where the engine serves)."""
    command = [sys.executable, "-c", SUPERVISOR, str(session), str(pack)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, env=environment) as process:
        assert process.stdout is not None
        lines = process.stdout

        def next_line() -> dict[str, Any]:
            said: dict[str, Any] = json.loads(lines.readline() or "{}")
            if not said:
                raise RuntimeError(f"the supervisor ended; see {session / 'logs'}")
            return said

        try:
            yield next_line
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(_END_S)


@dataclass
class Figures:
    """What all cycles together came to."""

    answers_s: list[float] = field(default_factory=list)
    faults: dict[str, int] = field(default_factory=dict)

    def add(self, faults: dict[str, int]) -> None:
        """Count these too."""
        for name, count in faults.items():
            self.faults[name] = self.faults.get(name, 0) + count

    def document(self) -> dict[str, Any]:
        """For JSON."""
        ordered = sorted(self.answers_s)
        p99 = ordered[min(int(0.99 * len(ordered)), len(ordered) - 1)]
        answer_s = {"p50": statistics.median(ordered), "p99": p99, "max": ordered[-1]}
        rounded = {name: round(value, 3) for name, value in answer_s.items()}
        return {**self.faults, "first_answer_s": rounded}


def measure(session: Path, pack: Path, cycles: int, seed: int) -> dict[str, Any]:
    """Kill the engine ``cycles`` times; return what was lost and how long it was gone."""
    luck = random.Random(seed)
    figures, files = Figures(), SessionFiles(session)
    with supervised(session, pack) as next_line:
        where = next_line()
        with _connected(where) as client:
            scenes = [client.new_scene(name, duration_s=DURATION_S) for name in ("Edits", "Fader")]
            client.set(scenes[1], client.add_text(scenes[1], "wind"), label="0")
            editor, fader = Editor(scenes[0], random.Random(seed + 1)), Fader(scenes[1])
            editor.look(client.snapshot(scenes[0]))
            figures.add(fader.check(client.snapshot(scenes[1])))
        listener = Listener(scenes[0])
        for cycle in range(cycles):
            listener.rendered.clear()
            workers = [_started(person.work, where) for person in (editor, fader, listener)]
            if luck.random() < 0.5 and not listener.rendered.wait(RENDER_S):
                raise RuntimeError(f"no render within {RENDER_S:g} s; see {session / 'logs'}")
            time.sleep(luck.uniform(0.0, KILL_WITHIN_S))
            killed_s = time.perf_counter()
            os.kill(where["pid"], signal.SIGKILL)
            for worker in workers:
                worker.join()
            left = files.parts()
            where = next_line()
            with _connected(where) as client:
                client.ping()
                figures.answers_s.append(time.perf_counter() - killed_s)
                figures.add({"partial_files": len(left & files.parts())})
                figures.add({"other_restarts": int("SIGKILL" not in where["reason"])})
                found = client.snapshot(editor.scene)
                figures.add(editor.check(found))
                editor.look(found)
                figures.add(fader.check(client.snapshot(fader.scene)))
                takes = {row.take for row in client.takes()}
            figures.add({"takes_lost": len(listener.takes - takes)})
            figures.add(files.check())
            print(f"{cycle + 1} of {cycles}: {figures.faults}", file=sys.stderr, flush=True)
    return {
        "cycles": cycles,
        "seed": seed,
        "edits_acknowledged": editor.edits + fader.acknowledged,
        "takes_acknowledged": len(listener.takes),
        "files_read": files.read,
        **figures.document(),
    }


def _connected(where: dict[str, Any]) -> Client:
    return Client.connect(where["tcp_port"], name="kill cycles")


def _started(work: Callable[[Client], None], where: dict[str, Any]) -> threading.Thread:
    thread = threading.Thread(target=_until_gone, args=(work, _connected(where)))
    thread.start()
    return thread


def main() -> None:
    """Measure, print the figures, and fail when something is lost."""
    assert __doc__ is not None
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cycles", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="wildtrack-kill-") as folder:
        pack = tiny_pack(Path(folder) / "tiny")
        figures = measure(Path(folder) / "session", pack, given.cycles, given.seed)
    figures["ok"] = not any(figures[name] for name in FAULTS)
    print(json.dumps(figures, indent=1))
    sys.exit(not figures["ok"])


if __name__ == "__main__":
    main()
