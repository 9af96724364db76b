"""The engine driven by liblo's oscsend, an OSC implementation that shares no code with ours."""

from __future__ import annotations

import os
import queue
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from osc_bridge.messages.notices import SceneNotice, TakeNotice

WAIT_S = 20.0


def oscsend() -> str:
    """The path of the tool; without it CI fails, and others skip, both aloud."""
    path = shutil.which("oscsend")
    if path is None:
        cure = "oscsend is missing: install liblo's tools (apt install liblo-tools)."
        (pytest.fail if os.environ.get("CI") else pytest.skip)(cure)
    return path


@pytest.fixture(params=["udp", "tcp"])
def send(request: pytest.FixtureRequest, tcp_engine: Any) -> Callable[..., None]:
    """Sends one message by oscsend, over UDP and over TCP."""
    path = oscsend()
    port = tcp_engine.ports.udp if request.param == "udp" else tcp_engine.ports.tcp
    url = f"osc.{request.param}://127.0.0.1:{port}/"

    def sent(address: str, types: str, *values: object) -> None:
        command = [path, url, f"/wildtrack{address}", types, *map(str, values)]
        subprocess.run(command, check=True, timeout=WAIT_S)

    return sent


@pytest.fixture
def heard(tcp_engine: Any) -> Callable[[type[Any]], Any]:
    """Waits for the next notice of a kind: oscsend itself hears no answer."""
    notices: queue.SimpleQueue[Any] = queue.SimpleQueue()
    tcp_engine.client.subscribe(notices.put)

    def next_of(kind: type[Any]) -> Any:
        while not isinstance(notice := notices.get(timeout=WAIT_S), kind):
            pass
        return notice

    return next_of


def test_a_scene_is_made_and_rendered_by_oscsend(
    tcp_engine: Any, send: Callable[..., None], heard: Callable[[type[Any]], Any], clip: Path
) -> None:
    client = tcp_engine.client
    send("/scene/new", "hshhh", 1, "Gasse bei Nacht, Zürich", 48_000, 24_000, 7)
    scene = heard(SceneNotice).scene
    row = client.scenes()[0]
    assert (row.name, row.start_sample, row.duration_samples, row.seed) == (
        "Gasse bei Nacht, Zürich", 48_000, 24_000, 7,
    )  # fmt: skip

    send("/source/add/text", "hss", 2, scene, "rain on a tin roof")
    assert heard(SceneNotice).revision == 2
    send("/source/add/audio", "iss", 3, scene, clip)
    assert heard(SceneNotice).revision == 3
    send("/source/set", "hsssd", 4, scene, "s1", "gain_db", -6.5)
    assert heard(SceneNotice).what == "Set gain_db of s1."
    send("/source/set", "hsssf", 5, scene, "s1", "pan", 0.25)
    heard(SceneNotice)
    send("/source/set", "hsssT", 6, scene, "s2", "mute")
    heard(SceneNotice)
    send(f"/control/{scene}/s1/weight", "f", 2.0)
    heard(SceneNotice)
    first, second = client.sources(scene)
    assert (first.text, first.gain_db, first.pan, first.weight) == (
        "rain on a tin roof", -6.5, 0.25, 2.0,
    )  # fmt: skip
    assert (second.kind, second.label, second.mute) == ("audio", "wind", True)

    send("/scene/undo", "hs", 7, scene)
    assert heard(SceneNotice).what == "Undone: Set weight of s1."
    send("/render", "hsss", 8, scene, "consistent", "preview")
    made = heard(TakeNotice)
    assert (made.take, made.scene, made.change) == ("t0001", scene, "made")
    assert (tcp_engine.session / "takes" / "t0001" / "take.json").is_file()


def test_what_oscsend_sends_wrong_changes_nothing(
    tcp_engine: Any, send: Callable[..., None], heard: Callable[[type[Any]], Any]
) -> None:
    scene = tcp_engine.scene("rain")
    before = tcp_engine.client.snapshot(scene)
    send("/source/set", "hsssd", 1, scene, "s1", "gain_db", 99.0)
    send("/source/set", "hsss", 2, scene, "s1", "gain_db", "loud")
    send("/source/set", "h", 3)
    send("/no/such/address", "h", 4)
    send("/source/add/audio", "hss", 5, scene, "/etc/passwd")
    send("/quit", "s", "please")
    send("/scene/set", "hsss", 6, scene, "name", "The last one")
    while heard(SceneNotice).what != "Set name of the scene.":
        pass
    after = tcp_engine.client.snapshot(scene)
    assert after.revision == before.revision + 1
    assert after.sources == before.sources
    assert not tcp_engine.stop.is_set()
