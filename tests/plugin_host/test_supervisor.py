"""An engine that dies or hangs comes back on the same ports; one that cannot is given up."""

from __future__ import annotations

import json
import os
import queue
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import click
import pytest
from click.testing import CliRunner

from osc_bridge.client import Client
from osc_bridge.discovery import Ports, announce, find_engine, withdraw
from osc_bridge.errors import EngineUnreachable, ModelError, SessionNotWritable, WildtrackError
from plugin_host import supervisor
from plugin_host.cli import main
from plugin_host.cli import up as up_module
from plugin_host.restarts import read_restarts
from plugin_host.supervisor import Backoff, Supervisor, Voice
from plugin_host.vigil import End, Patience, Vigil

WAIT_S = 30.0
AT_ONCE = Backoff(first_s=0.0, longest_s=0.0)

FAKE = """
import json, os, sys
from pathlib import Path

options = dict(zip(sys.argv[1::2], sys.argv[2::2]))
session = Path(options["--session"])
with (session / "starts").open("a") as starts:
    starts.write(json.dumps(sys.argv[1:]) + "\\n")
plans = json.loads((session / "plans").read_text())
plan = plans[min(len((session / "starts").read_text().splitlines()), len(plans)) - 1]
print("noise", "[" * 8000, sep="\\n", flush=True)
print(f"a trace\\nThe plan is {plan}.", file=sys.stderr, flush=True)
if isinstance(plan, int):
    os._exit(plan)
if plan == "mute":
    while os.read(0, 4096):
        pass
    os._exit(0)
import dataclasses, threading
from osc_bridge import schema
from osc_bridge.server import OscServer
from osc_bridge.transports.tcp import TcpListener

def watch():
    while os.read(0, 4096):
        pass
    stop.set()
stop = threading.Event()
threading.Thread(target=watch, daemon=True).start()
class Handler:
    def answer(self, request, reply):
        if isinstance(request, schema.Quit):
            stop.set()
        result = request.reply.example()
        if isinstance(request, schema.Hello):
            return dataclasses.replace(result, session=str(session))
        return result
with OscServer(Handler(), (TcpListener(int(options.get("--tcp-port", 0))),)) as server:
    said = {"pid": os.getpid(), "udp_port": 0, "tcp_port": server.port("tcp")}
    print(json.dumps({"serving": True, **said}), flush=True)
    print(json.dumps({"ready": True, **said}), flush=True)
    stop.wait()
    print(json.dumps({"ending": True}), flush=True)
if plan == "linger":
    threading.Event().wait(0.5)
if plan == "wedge":
    threading.Event().wait()
"""


@dataclass
class Run:
    """A supervisor at work on a thread, and what it said."""

    session: Path
    reports: queue.SimpleQueue[dict[str, Any]] = field(default_factory=queue.SimpleQueue)
    told: list[str] = field(default_factory=list)
    error: BaseException | None = None
    thread: threading.Thread | None = None

    def start(self, **settings: Any) -> None:
        made = self.supervisor(**settings)
        self.thread = threading.Thread(target=self._run, args=(made,))
        self.thread.start()

    def supervisor(self, **settings: Any) -> Supervisor:
        voice = Voice(self.reports.put, self.told.append)
        options = ("--session", str(self.session))
        return Supervisor(self.session, options, voice, **({"backoff": AT_ONCE} | settings))

    def _run(self, made: Supervisor) -> None:
        try:
            made.run()
        except BaseException as error:
            self.error = error

    def report(self) -> dict[str, Any]:
        return self.reports.get(timeout=WAIT_S)

    def wait(self) -> None:
        assert self.thread is not None
        self.thread.join(WAIT_S)
        assert not self.thread.is_alive()

    def quit(self, port: int) -> None:
        with Client.connect(port, timeout_s=WAIT_S) as client:
            client.quit()
        self.wait()
        assert self.error is None

    @property
    def starts(self) -> list[list[str]]:
        lines = (self.session / "starts").read_text().splitlines()
        return [json.loads(line) for line in lines]


Planned = Callable[..., Run]


@pytest.fixture
def planned(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Planned]:
    """A session whose engines do as planned: end with a code, be "mute", or "serve"."""
    runs: list[Run] = []

    def command(options: Sequence[str]) -> list[str]:
        return [sys.executable, "-c", FAKE, *options]

    def make(*plans: int | str) -> Run:
        monkeypatch.setattr(supervisor, "engine_command", command)
        (tmp_path / "plans").write_text(json.dumps(plans))
        runs.append(Run(tmp_path))
        return runs[-1]

    yield make
    assert not any(run.thread is not None and run.thread.is_alive() for run in runs)


def is_gone(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return False


def test_an_engine_that_dies_comes_back_where_it_was(planned: Planned) -> None:
    run = planned("serve")
    run.start()
    first = run.report()
    assert (first["up"], first["restarts"], first["reason"]) == (True, 0, "")
    os.kill(first["pid"], signal.SIGKILL)
    second = run.report()
    assert second["restarts"] == 1
    assert "SIGKILL" in second["reason"]
    assert second["tcp_port"] == first["tcp_port"]
    assert second["pid"] != first["pid"]
    run.quit(second["tcp_port"])
    assert is_gone(first["pid"])
    assert is_gone(second["pid"])
    (restart,) = read_restarts(run.session)
    assert (restart.exit_code, restart.reason) == (-9, "it was ended by SIGKILL")
    assert restart.last_lines == ("a trace", "The plan is serve.")
    log = (run.session / "logs" / "engine.log").read_text()
    assert log.count("The plan is serve.") == 2
    assert "it was ended by SIGKILL" in log
    assert any("SIGKILL" in sentence for sentence in run.told)


def test_an_engine_that_hangs_is_killed_and_comes_back(planned: Planned) -> None:
    run = planned("serve")
    run.start(patience=Patience(loading_s=1.0, answer_s=1.0, ask_s=0.02))
    first = run.report()
    os.kill(first["pid"], signal.SIGSTOP)
    second = run.report()
    assert second["reason"] == "it did not answer for 1 s"
    assert is_gone(first["pid"])
    run.quit(second["tcp_port"])
    assert read_restarts(run.session)[0].exit_code is None


QUICK = Patience(loading_s=0.2, answer_s=0.2, ask_s=0.02, ending_s=10.0)


def test_one_that_takes_long_to_end_is_left_to_it(planned: Planned) -> None:
    run = planned("linger")
    run.start(patience=QUICK)
    run.quit(run.report()["tcp_port"])
    assert len(run.starts) == 1
    assert read_restarts(run.session) == []


def test_one_that_never_ends_is_killed_and_stays_away(planned: Planned) -> None:
    run = planned("wedge")
    run.start(patience=replace(QUICK, ending_s=0.1))
    report = run.report()
    run.quit(report["tcp_port"])
    assert is_gone(report["pid"])
    assert len(run.starts) == 1


class Silent:
    """The watch over an engine that says nothing, on a clock of its own."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, slept_s: dict[int, float]) -> None:
        self.now_s = 1_000.0
        self.waits = 0
        self.slept_s = slept_s
        self.answers: list[bool] = []
        self.process = SimpleNamespace(returncode=1)
        self.last_lines: tuple[str, ...] = ()
        monkeypatch.setattr("plugin_host.vigil.time", SimpleNamespace(monotonic=lambda: self.now_s))
        monkeypatch.setattr(Vigil, "_answers", lambda _, within_s: self.asked(within_s))
        monkeypatch.setattr(Vigil, "_wait_serving", lambda _: {})

    def wait(self, within_s: float) -> None:
        self.now_s += within_s + self.slept_s.get(self.waits, 0.0)
        self.waits += 1

    def said(self, within_s: float) -> dict[str, Any] | None:
        self.wait(within_s)
        if not self.answers:
            return None
        raise queue.Empty

    def asked(self, within_s: float) -> bool:
        is_there = self.answers.pop(0)
        if not is_there:
            self.wait(within_s)
        return is_there

    def error(self) -> EngineUnreachable:
        return EngineUnreachable("gone")

    def kill(self) -> None:
        """It is ended."""

    def reason(self, answers: list[bool]) -> str:
        self.answers = answers
        return Vigil(self, Patience(loading_s=5.0)).keep(lambda _: None).reason  # type: ignore[arg-type]


@pytest.mark.parametrize("slept_s", [{0: 3_600.0}, {1: 3_600.0}, {1: 4.9}])
def test_a_laptop_that_slept_kills_nobody(
    monkeypatch: pytest.MonkeyPatch, slept_s: dict[int, float]
) -> None:
    silent = Silent(monkeypatch, slept_s)
    assert silent.reason([False, True, False, True]) == "it ended with exit code 1"


def test_silence_is_counted_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    silent = Silent(monkeypatch, {})
    assert silent.reason([True] + [False] * 99) == "it did not answer for 5 s"
    assert silent.now_s == 1_000.0 + 1.0 + 5.0


def test_one_that_never_serves_is_killed_and_comes_back(planned: Planned) -> None:
    run = planned("mute", "serve")
    run.start(patience=Patience(serving_s=2.0))
    report = run.report()
    assert report["reason"] == "it did not serve within 2 s"
    run.quit(report["tcp_port"])


def test_starts_that_never_serve_are_given_up(planned: Planned) -> None:
    run = planned(1)
    run.start()
    run.wait()
    assert type(run.error) is EngineUnreachable
    assert str(run.error) == "The plan is 1."
    assert len(run.starts) == Backoff().failures_max == len(read_restarts(run.session))
    assert any("doctor" in sentence for sentence in run.told)


def test_starts_that_fail_seldom_are_not_given_up(planned: Planned) -> None:
    run = planned(1, 1, 1, "serve")
    run.start(backoff=Backoff(0.0, 0.0, failures_max=2, failures_s=0.0))
    report = run.report()
    assert report["restarts"] == 3
    run.quit(report["tcp_port"])


@pytest.mark.parametrize(("code", "error"), [(5, ModelError), (2, click.UsageError)])
def test_what_another_start_does_not_change_is_told_at_once(
    planned: Planned, code: int, error: type[Exception]
) -> None:
    run = planned(code)
    run.start()
    run.wait()
    assert type(run.error) is error
    assert str(run.error) == f"The plan is {code}."
    assert len(run.starts) == 1
    assert read_restarts(run.session) == []


def test_what_goes_wrong_later_is_tried_again(planned: Planned) -> None:
    run = planned("serve", 5, 5, "serve")
    run.start()
    os.kill(run.report()["pid"], signal.SIGKILL)
    report = run.report()
    assert report["restarts"] == 3
    run.quit(report["tcp_port"])


def test_ports_that_another_program_took_meanwhile_are_given_up(planned: Planned) -> None:
    run = planned("serve", 1, 1, 1, "serve")
    run.start()
    first = run.report()
    os.kill(first["pid"], signal.SIGKILL)
    run.quit(run.report()["tcp_port"])
    kept = ["--tcp-port", str(first["tcp_port"])]
    assert [start[2:] for start in run.starts] == [[], kept, kept, kept, []]


def test_a_second_supervisor_is_refused(planned: Planned, tmp_path: Path) -> None:
    run = planned("serve")
    run.start()
    report = run.report()
    announce(tmp_path, Ports(0, report["tcp_port"]))
    with pytest.raises(SessionNotWritable, match=str(report["tcp_port"])) as caught:
        run.supervisor().run()
    withdraw()
    assert caught.value.exit_code == 6
    run.quit(report["tcp_port"])
    assert len(run.starts) == 1


def test_waits_grow_until_a_life_was_healthy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    served_s = iter([0.0, 1.0, 0.0, 59.0, 0.0, 0.0, 61.0, 0.0])
    waits: list[float] = []

    class Noted(threading.Event):
        def wait(self, timeout: float | None = None) -> bool:
            assert timeout is not None
            waits.append(timeout)
            return True

    def lived(made: Supervisor, log: object) -> End:
        length_s = next(served_s, None)
        code = 0 if length_s is None else 1
        length_s = length_s or 0.0
        return End("it ended", code, EngineUnreachable(""), length_s, length_s, True, ())

    monkeypatch.setattr(threading, "Event", Noted)
    monkeypatch.setattr(Supervisor, "_live", lived)
    Run(tmp_path).supervisor(backoff=Backoff()).run()
    assert waits == [0.5, 1, 2, 4, 8, 16, 0.5, 1]
    served_s = iter([1.0] * 9)
    Run(tmp_path).supervisor(backoff=Backoff()).run()
    assert waits[-3:] == [30, 30, 30]


PARENT = """
import signal, sys
from pathlib import Path
from plugin_host import supervisor
from plugin_host.cli import main
fake, session = sys.argv[1:]
supervisor.engine_command = lambda options: [sys.executable, "-c", fake, *options]
signal.signal(signal.SIGHUP, signal.SIG_DFL)
main(["up", "--session", session])
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_signals_end_both(tmp_path: Path, number: signal.Signals) -> None:
    (tmp_path / "plans").write_text('["serve"]')
    root = Path(supervisor.__file__).parents[1]
    with subprocess.Popen(
        [sys.executable, "-c", PARENT, FAKE, str(tmp_path)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(root)},
    ) as parent:
        assert parent.stdout is not None
        report = json.loads(parent.stdout.readline())
        parent.send_signal(number)
        output, error = parent.communicate(timeout=WAIT_S)
    assert (parent.returncode, output) == (0, "")
    assert error == f"wildtrack up: the engine serves {tmp_path} (process {report['pid']})\n"
    assert is_gone(report["pid"])
    with pytest.raises(EngineUnreachable):
        Client.connect(report["tcp_port"])
    assert "asked to end" in (tmp_path / "logs" / "engine.log").read_text()


def test_an_engine_does_not_outlive_its_supervisor(tmp_path: Path) -> None:
    (tmp_path / "plans").write_text('["serve"]')
    root = Path(supervisor.__file__).parents[1]
    with subprocess.Popen(
        [sys.executable, "-c", PARENT, FAKE, str(tmp_path)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env={**os.environ, "PYTHONPATH": str(root)},
    ) as parent:
        assert parent.stdout is not None
        report = json.loads(parent.stdout.readline())
        with socket.create_connection(("127.0.0.1", report["tcp_port"]), WAIT_S) as line:
            parent.kill()
            assert line.recv(1) == b""


def test_the_command_hands_on_what_engine_takes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[Any] = []

    def run(made: Supervisor) -> None:
        seen.append(made)

    monkeypatch.setattr(Supervisor, "run", run)
    words = ["--session", str(tmp_path), "--port", "7770", "--pack", "tiny", "--allow", "/"]
    result = CliRunner().invoke(main, ["up", *words])
    assert result.exit_code == 0, result.output
    assert (seen[0].session, list(seen[0].options)) == (tmp_path, words)


@pytest.mark.parametrize(
    "words", [["--session", "s", "--nonsense"], [], ["--session", "s", "--port", "loud"]]
)
def test_a_mistake_is_a_usage_error(words: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WILDTRACK_SESSION", raising=False)
    assert CliRunner().invoke(main, ["up", *words]).exit_code == 2


def test_the_options_are_those_of_engine() -> None:
    from engine.commands import engine

    with click.Context(up_module.up) as ctx:
        ours = [p.name for p in up_module.up.get_params(ctx)]
    theirs = {p.name for p in engine.params if not getattr(p, "hidden", False)}
    assert theirs <= set(ours)
    assert len(ours) == len(set(ours))


def test_errors_end_in_their_exit_code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(made: Supervisor) -> None:
        error: WildtrackError = ModelError("Pack x is missing; get it.")
        raise error

    monkeypatch.setattr(Supervisor, "run", fail)
    result = CliRunner().invoke(main, ["up", "--session", str(tmp_path)])
    assert result.exit_code == 5
    assert "Pack x is missing" in result.stderr


def test_a_killed_engine_returns_with_its_scenes(tmp_path: Path, tiny_pack: Path) -> None:
    command = [sys.executable, "-m", "plugin_host.cli", "up", "--session", str(tmp_path)]
    environment = {
        **os.environ,
        "PYTHONPATH": str(Path(supervisor.__file__).parents[1]),
        "OMP_NUM_THREADS": "1",
    }
    with subprocess.Popen(
        [*command, "--pack", str(tiny_pack)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
    ) as parent:
        assert parent.stdout is not None
        first = json.loads(parent.stdout.readline())
        with Client.connect(first["udp_port"], transport="udp", timeout_s=WAIT_S) as client:
            scene = client.new_scene("Alley", duration_s=0.5)
            client.set(scene, client.add_text(scene, "rain"), gain_db=-6.0)
            before = client.snapshot(scene)
            os.kill(first["pid"], signal.SIGKILL)
            second = json.loads(parent.stdout.readline())
            ports = ("udp_port", "tcp_port", "http_port")
            assert [second[port] for port in ports] == [first[port] for port in ports]
            assert second["restarts"] == 1
            assert client.snapshot(scene) == before
            client.render(scene, quality="preview")
            client.quit()
        output, error = parent.communicate(timeout=WAIT_S)
    assert (parent.returncode, output) == (0, "")
    assert "SIGKILL" in error
    assert find_engine(tmp_path) is None
