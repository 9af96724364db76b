"""The doors of the engine: who may come in, where it is found, what controllers see."""

from __future__ import annotations

import json
import threading
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from engine.config import EngineConfig
from engine.models.store import ModelStore
from engine.notices import Notices
from engine.server import Handlers, listening, serving
from engine.service import EngineService
from osc_bridge import schema
from osc_bridge.client import Client
from osc_bridge.discovery import find_engine
from osc_bridge.errors import NotAuthorised, PortInUse
from osc_bridge.schema import REQUESTS

TOKEN = "correct-horse-battery"
SERVED_BY_THE_SERVER = {schema.Ping, schema.Sync, schema.Subscribe, schema.Unsubscribe}


def test_every_request_of_the_contract_has_a_handler(tmp_path: Path, pack: Any) -> None:
    service = EngineService(EngineConfig(tmp_path / "session"), ModelStore.holding(pack), Notices())
    handlers = Handlers(service, threading.Event())
    edits = {request for request in REQUESTS if request.edits}
    assert set(handlers._table) | edits | SERVED_BY_THE_SERVER == set(REQUESTS)
    assert not set(handlers._table) & edits


def test_other_machines_need_the_token(run_again: Callable[..., Any], pack: Any) -> None:
    """0.0.0.0 takes the place of IPv4's loopback, so a client of this machine stands for others."""
    with run_again(pack, bind="0.0.0.0", token=TOKEN) as (service, ports, _):
        for token in ("", "another-horse-battery"):
            with pytest.raises(NotAuthorised, match="token"):
                Client.connect(ports.tcp, token=token)
        with Client.connect(ports.tcp, token=TOKEN) as client:
            assert "token" in client.welcome.capabilities
            assert client.new_scene("Alley") == "scene1"
        with Client.connect(ports.udp, transport="udp", token=TOKEN) as client:
            assert client.scenes()[0].name == "Alley"
            has_ipv6 = "ipv6" in client.welcome.capabilities
        found = find_engine(service.config.session)
        assert found is not None
        assert found.host == ("::1" if has_ipv6 else "127.0.0.1")
        if has_ipv6:
            with found.connect() as client:
                assert client.scenes()[0].name == "Alley", "loopback needs no token"


def test_ipv6_reaches_the_same_engine(tcp_engine: Any) -> None:
    if "ipv6" not in tcp_engine.client.welcome.capabilities:
        pytest.skip("this machine has no IPv6 loopback")
    scene = tcp_engine.scene("rain")
    for transport, port in (("tcp", tcp_engine.ports.tcp), ("udp", tcp_engine.ports.udp)):
        with Client.connect(port, host="::1", transport=transport) as client:  # type: ignore[arg-type]
            assert client.sources(scene)[0].label == "rain"


def test_the_engine_is_found_as_long_as_it_serves(tcp_engine: Any, tmp_path: Path) -> None:
    found = find_engine(tcp_engine.session)
    assert found is not None
    assert (found.udp_port, found.tcp_port) == (tcp_engine.ports.udp, tcp_engine.ports.tcp)
    assert find_engine(tmp_path / "another") is None


def test_it_is_not_found_after_its_end(run_again: Callable[..., Any], pack: Any) -> None:
    with run_again(pack) as (service, _, _):
        session = service.config.session
        assert find_engine(session) is not None
    assert find_engine(session) is None


def ask(port: int, path: str) -> Any:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=20) as answer:
        return json.loads(answer.read())


def test_controllers_see_what_can_be_set(run_again: Callable[..., Any], pack: Any) -> None:
    with run_again(pack, oscquery=True) as (service, ports, _):
        info = ask(ports.http, "/?HOST_INFO")
        assert (info["OSC_PORT"], info["OSC_TRANSPORT"]) == (ports.udp, "UDP")
        with Client.connect(ports.tcp) as client:
            scene = client.new_scene("Alley")
            client.add_text(scene, "rain")
            client.set(scene, "s1", gain_db=-6.0)
        gain = ask(ports.http, f"/wildtrack/control/{scene}/s1/gain_db")
        assert gain["VALUE"] == [-6.0]
        assert gain["RANGE"] == [{"MIN": -60.0, "MAX": 12.0}]
        (service.config.session / "scenes" / "scene9.json").write_text("damaged")
        tree = ask(ports.http, f"/wildtrack/control/{scene}/s1")
        assert {"pan", "mute", "text", "duration_samples"} <= set(tree["CONTENTS"])


def test_ports_are_free_again_when_serving_fails(
    tmp_path: Path, pack: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_args: object) -> None:
        raise PortInUse("taken")

    monkeypatch.setattr("engine.server.doors.discovery.announce", fail)
    config = EngineConfig(tmp_path / "session", oscquery=False)
    service = EngineService(config, ModelStore.holding(pack), Notices())
    with listening(0, 0) as opened:
        with pytest.raises(PortInUse), serving(service, opened, threading.Event()):
            pytest.fail("it served")
        udp, tcp = (
            next(li.port for li in opened.listeners if li.name == n) for n in ("udp", "tcp")
        )
    with listening(udp, tcp):
        pass
