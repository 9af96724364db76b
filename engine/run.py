"""The life of an engine process: lock, ports, serving, the models, ready, end.

It answers OSC at once; torch and the pack load beside, and only what needs them waits for them.
"""

from __future__ import annotations

import contextlib
import gc
import json
import logging
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from types import FrameType

from engine.config import EngineConfig
from engine.descriptors import allow_many
from engine.errors import as_wildtrack_error
from engine.leftovers import remove_leftovers
from engine.lock import SessionLock
from engine.memory import resident_bytes
from engine.models.store import ModelStore
from engine.notices import Notices
from engine.server import listening, serving
from engine.service import EngineService
from engine.threads import sleep_while_waiting
from osc_bridge.discovery import Ports
from osc_bridge.errors import WildtrackError

_STDIN = 0
_WAKE_S = 0.5
"""How often a waiting main thread looks up, for systems where a signal does not wake it."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Serving:
    """What an engine says first, on one line of JSON: it answers, but cannot render so far."""

    session: str
    pid: int
    udp_port: int
    tcp_port: int
    http_port: int


@dataclass(frozen=True)
class Ready:
    """What an engine says once, on one line of JSON, when it can render."""

    session: str
    pid: int
    udp_port: int
    tcp_port: int
    http_port: int
    pack: str
    device: str
    load_s: float
    warm_up_s: float
    memory_bytes: int


@dataclass(frozen=True)
class Ending:
    """What an engine says last, on one line of JSON: it was asked to end and answers no more."""

    pid: int


Said = Serving | Ready | Ending


def run_engine(
    config: EngineConfig,
    say: Callable[[Said], None],
    *,
    until_stdin_closes: bool = False,
) -> None:
    """Serve the session until a client says quit or the process gets SIGINT, SIGTERM or SIGHUP.

    With ``until_stdin_closes`` the end of standard input ends it too, so that an engine which was
    started with a pipe never outlives its parent, however that one ends. When the first pack does
    not load, the engine ends.

    Raises SessionNotWritable, PortInUse, and what loading the first pack raised.
    """
    allow_many()
    stop = threading.Event()
    if until_stdin_closes:
        stop_at_end_of(_STDIN, stop)
    notices = Notices()
    with (
        stopped_by_signals(stop),
        SessionLock(config.session),
        listening(config.udp_port, config.tcp_port, config.bind) as opened,
    ):
        remove_leftovers(config.session)
        models = ModelStore(
            config.pack,
            config.device,
            config.memory_budget_bytes,
            notices.model,
            allowed=config.allowed,
            options=config.options,
        )
        service = EngineService(config, models, notices)
        with serving(service, opened, stop) as ports:
            first = _FirstPack(config, ports, models, say, stop)
            say(Serving(str(config.session), os.getpid(), ports.udp, ports.tcp, ports.http))
            first.start()
            while not stop.wait(_WAKE_S):
                pass
            _log.info("The engine ends.")
            if first.error is None:
                say(Ending(os.getpid()))
        first.join()
    if first.error is not None:
        raise first.error


class _FirstPack:
    """Has the first pack loaded, on a thread of its own: says ready, or stops the engine."""

    def __init__(
        self,
        config: EngineConfig,
        ports: Ports,
        models: ModelStore,
        say: Callable[[Said], None],
        stop: threading.Event,
    ) -> None:
        self.error: WildtrackError | None = None
        self._config = config
        self._ports = ports
        self._models = models
        self._say = say
        self._stop = stop
        self._thread = threading.Thread(target=self._run, name="first pack", daemon=True)

    def start(self) -> None:
        """Begin to load."""
        self._thread.start()

    def join(self) -> None:
        """Wait for the end, once the model store is closed."""
        self._thread.join()

    def _run(self) -> None:
        begin_s = time.perf_counter()
        try:
            _import_torch()
            if self._stop.is_set():
                return
            self._models.start()
            pack = self._models.current().manifest.name
        except BaseException as error:
            if not self._stop.is_set():
                self.error = as_wildtrack_error(error)
                self._stop.set()
            return
        took_s, ports, times = time.perf_counter() - begin_s, self._ports, self._models.times
        warm_up_s = times.warm_up_s if times else 0.0
        self._say(
            Ready(
                session=str(self._config.session),
                pid=os.getpid(),
                udp_port=ports.udp,
                tcp_port=ports.tcp,
                http_port=ports.http,
                pack=pack,
                device=self._config.device,
                load_s=round(took_s - warm_up_s, 3),
                warm_up_s=round(warm_up_s, 3),
                memory_bytes=resident_bytes(),
            )
        )


def _import_torch() -> None:
    """Import what packs need, and take it out of the garbage collector's sight for good.

    Walking through all of torch's objects takes 0.1 to 0.2 s, in which no ping is answered, and
    came several times a minute while settings poured in.
    """
    sleep_while_waiting()
    gc.disable()
    try:
        import engine.models.loading  # noqa: F401, PLC0415

        gc.collect()
        gc.freeze()
    finally:
        gc.enable()


def say_on_stdout(what: Said) -> None:
    """Write a line to standard output; a reader that is gone is no error."""
    with contextlib.suppress(BrokenPipeError):
        sys.stdout.write(json.dumps({type(what).__name__.lower(): True, **asdict(what)}) + "\n")
        sys.stdout.flush()


def stop_at_end_of(descriptor: int, stop: threading.Event) -> None:
    """Set ``stop`` when nobody can write into the pipe any more; returns at once.

    Reads the bare descriptor: a daemon thread inside a buffered reader breaks Python's own end.
    """

    def watch() -> None:
        with contextlib.suppress(OSError):
            while os.read(descriptor, 4096):
                pass
        stop.set()

    threading.Thread(target=watch, name="end of input", daemon=True).start()


@contextlib.contextmanager
def stopped_by_signals(stop: threading.Event) -> Iterator[None]:
    """Let SIGINT, SIGTERM and SIGHUP end the engine in order, when this is the main thread."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def on_signal(_number: int, _frame: FrameType | None) -> None:
        stop.set()

    before = {number: signal.signal(number, on_signal) for number in _signals()}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _signals() -> list[signal.Signals]:
    """SIGHUP only where the system has it and nobody (``nohup``) has asked to ignore it."""
    numbers = [signal.SIGINT, signal.SIGTERM]
    if sys.platform != "win32" and signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
        numbers.append(signal.SIGHUP)
    return numbers
