"""The client: what a DAW bridge, the command line or a script drives the engine with.

::

    with Client.connect(port=7770) as engine:
        scene = engine.new_scene("Alley", duration_s=4)
        engine.add_image(scene, "frame.png")
        rain = engine.add_text(scene, "rain on a tin roof")
        engine.set(scene, rain, gain_db=-6, pan=0.3)
        print(engine.render(scene).path)
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Literal, Self, TypeVar

from osc_bridge.caller import Caller, OnProgress
from osc_bridge.fields import Real, Value
from osc_bridge.schema import (
    API_MAJOR,
    API_MINOR,
    DURATION_MAX,
    DURATION_MIN,
    SAMPLE_RATE,
    AddAudio,
    AddImage,
    AddRegion,
    AddText,
    EngineStatus,
    Hello,
    ListSources,
    ListTakes,
    NewScene,
    Ping,
    Pong,
    Quit,
    Render,
    SetSource,
    SourcePage,
    SourceRow,
    Status,
    TakeMade,
    TakePage,
    TakeRow,
    Welcome,
)
from osc_bridge.transports.base import LOOPBACK, Link
from osc_bridge.transports.tcp import TcpLink
from osc_bridge.transports.udp import UdpLink

_DURATION_S = Real(
    DURATION_MIN / SAMPLE_RATE, DURATION_MAX / SAMPLE_RATE, "s", "length of a scene", 4.0
)
PERCEIVE_S = 60.0
RENDER_S = 600.0
"""Longest silence of a job; the engine reports every few seconds while one waits its turn."""

Transport = Literal["tcp", "udp"]
Row = TypeVar("Row")


class Client(Caller):
    """One engine, connected; a context manager. ``welcome`` is what it said of itself."""

    def __init__(self, link: Link, name: str = "python", timeout_s: float = 10.0) -> None:
        """Say hello over ``link``.

        Raises:
            IncompatibleApi: the engine speaks another major version.
            ReplyTimeout, EngineUnreachable: nobody answers.
        """
        super().__init__(link)
        try:
            self.welcome: Welcome = self.call(Hello(API_MAJOR, API_MINOR, name), timeout_s)
        except BaseException:
            self.close()
            raise

    @classmethod
    def connect(
        cls,
        port: int,
        host: str = LOOPBACK,
        transport: Transport = "tcp",
        name: str = "python",
        timeout_s: float = 10.0,
    ) -> Self:
        """Connect to the engine that listens on a loopback port.

        Raises:
            EngineUnreachable: nobody listens there.
            ReplyTimeout: something else does.
            IncompatibleApi: the engine speaks another major version.
            OutOfRange: not a loopback address, or no such port.
        """
        link: Link = TcpLink(port, host) if transport == "tcp" else UdpLink(port, host)
        return cls(link, name, timeout_s)

    def ping(self, timeout_s: float = 2.0) -> Pong:
        """Ask for a sign of life."""
        return self.call(Ping(), timeout_s)

    def status(self) -> EngineStatus:
        """How the engine is."""
        return self.call(Status())

    def new_scene(
        self, name: str, start_sample: int = 0, duration_s: float = 4.0, seed: int = 1
    ) -> str:
        """Make an empty scene; returns its id."""
        duration_samples = round(_DURATION_S.check("duration_s", duration_s) * SAMPLE_RATE)
        return self.call(NewScene(name, start_sample, duration_samples, seed)).scene

    def add_image(self, scene: str, path: str | Path, label: str = "") -> tuple[str, ...]:
        """Add a picture: without a label all that is seen in it; returns the ids."""
        return self.call_or_cancel(AddImage(scene, _absolute(path), label), PERCEIVE_S).sources

    def add_region(
        self, scene: str, path: str | Path, box: tuple[int, int, int, int], label: str = ""
    ) -> str:
        """Add the box x0, y0, x1, y1 (pixels, x1 and y1 outside) of a picture; returns its id."""
        request = AddRegion(scene, _absolute(path), *box, label)
        return self.call_or_cancel(request, PERCEIVE_S).sources[0]

    def add_text(self, scene: str, text: str) -> str:
        """Add a sound in words; returns its id."""
        return self.call(AddText(scene, text), PERCEIVE_S).sources[0]

    def add_audio(self, scene: str, path: str | Path) -> str:
        """Add an audio clip; returns its id."""
        return self.call_or_cancel(AddAudio(scene, _absolute(path)), PERCEIVE_S).sources[0]

    def set(self, scene: str, source: str, **fields: Value) -> None:
        """Set fields of a source, such as ``gain_db=-6``; all are checked before any is sent."""
        requests = [SetSource(scene, source, name, value) for name, value in fields.items()]
        for request in requests:
            self.call(request)

    def sources(self, scene: str) -> list[SourceRow]:
        """All sources of a scene."""

        def fetch(page: int) -> tuple[int, tuple[SourceRow, ...]]:
            answer: SourcePage = self.call(ListSources(scene, page))
            return answer.next_page, answer.rows

        return _all_rows(fetch)

    def takes(self) -> list[TakeRow]:
        """All takes of the session."""

        def fetch(page: int) -> tuple[int, tuple[TakeRow, ...]]:
            answer: TakePage = self.call(ListTakes(page))
            return answer.next_page, answer.rows

        return _all_rows(fetch)

    def render(
        self,
        scene: str,
        stems: str = "independent",
        quality: str = "final",
        on_progress: OnProgress | None = None,
        timeout_s: float = RENDER_S,
    ) -> TakeMade:
        """Render a take; Ctrl-C cancels the job in the engine, then goes on as KeyboardInterrupt.

        Raises:
            Cancelled: another client cancelled it.
            WildtrackError: what the engine answered.
        """
        return self.call_or_cancel(Render(scene, stems, quality), timeout_s, on_progress)

    def quit(self) -> None:
        """End the engine."""
        self.call(Quit())


def _all_rows(fetch: Callable[[int], tuple[int, tuple[Row, ...]]]) -> list[Row]:
    rows: list[Row] = []
    page = 0
    while page >= 0:
        page, part = fetch(page)
        rows.extend(part)
    return rows


def _absolute(path: str | Path) -> str:
    return str(Path(path).absolute())
