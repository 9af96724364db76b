"""What controllers read over HTTP: the address space of the schema and of the sources."""

from __future__ import annotations

import http.client
import json
import socket
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from typing import Any

import pytest

from osc_bridge import oscquery
from osc_bridge.errors import OutOfRange, PortInUse
from osc_bridge.message import ROOT, slots
from osc_bridge.oscquery import ATTRIBUTES, HostInfo, OscQuery
from osc_bridge.oscquery_tree import ControlNode
from osc_bridge.schema import REQUESTS, SETTABLE, SetSource

WAIT_S = 20.0
VALUES: dict[str, Any] = {
    "label": "Hund 犬", "gain_db": -6.0, "mute": True, "solo": False, "seed": 7, "weight": 1.0,
    "pan": 0.25, "start_sample": 0, "duration_samples": 0,
}  # fmt: skip
CONTROL = f"{ROOT}/control/alley/s1"
INFO = HostInfo("Wildtrack alley", 7770)


@pytest.fixture
def values() -> dict[str, Any]:
    """The settings of source s1 of scene alley; a test may change them."""
    return dict(VALUES)


@pytest.fixture
def query(values: dict[str, Any]) -> Iterator[OscQuery]:
    """A server of one source."""

    def controls() -> list[ControlNode]:
        return [ControlNode("alley", "s1", field, value) for field, value in values.items()]

    with OscQuery(INFO, controls) as served:
        yield served


def get(query: OscQuery, target: str) -> Any:
    """What a program reads: the JSON of a target."""
    with urllib.request.urlopen(f"http://127.0.0.1:{query.port}{target}", timeout=WAIT_S) as reply:
        assert reply.headers["Content-Type"] == "application/json; charset=utf-8"
        return json.loads(reply.read().decode("utf-8"))


def status(query: OscQuery, target: str, method: str = "GET", **headers: str) -> int:
    connection = http.client.HTTPConnection("127.0.0.1", query.port, timeout=WAIT_S)
    connection.request(method, target, headers=headers)
    reply = connection.getresponse()
    body = reply.read()
    connection.close()
    if reply.status in {204, 400, 403, 404}:
        assert body == b""
    return reply.status


def leaves(node: dict[str, Any]) -> Iterator[dict[str, Any]]:
    if "TYPE" in node:
        yield node
    for child in node.get("CONTENTS", {}).values():
        yield from leaves(child)


def raw(query: OscQuery, data: bytes) -> bytes:
    """What comes back for these bytes until the connection ends."""
    with socket.create_connection(("127.0.0.1", query.port), WAIT_S) as line:
        line.sendall(data)
        return b"".join(iter(lambda: line.recv(4096), b""))


def test_a_controller_learns_where_osc_goes(query: OscQuery) -> None:
    """The first question of TouchOSC and Chataigne."""
    info = get(query, "/?HOST_INFO")
    assert (info["NAME"], info["OSC_PORT"]) == ("Wildtrack alley", 7770)
    assert (info["OSC_IP"], info["OSC_TRANSPORT"]) == ("127.0.0.1", "UDP")
    assert info["EXTENSIONS"]["RANGE"] is True
    assert info["EXTENSIONS"]["LISTEN"] is False


def test_a_walk_from_the_root_meets_every_request_and_control(query: OscQuery) -> None:
    """As Chataigne and Open Stage Control build their panels: once over the whole tree."""
    found = {leaf["FULL_PATH"]: leaf for leaf in leaves(get(query, "/"))}
    assert set(found) == {ROOT + request.address for request in REQUESTS} | {
        f"{CONTROL}/{field}" for field in VALUES
    }
    for path, leaf in found.items():
        assert leaf["ACCESS"] == (3 if path.startswith(CONTROL) else 2)
        assert leaf["DESCRIPTION"]
        assert len(leaf.get("RANGE", leaf["TYPE"])) == len(leaf["TYPE"])
        assert len(leaf.get("UNIT", leaf["TYPE"])) == len(leaf["TYPE"])
        assert ("VALUE" in leaf) == path.startswith(CONTROL)


def test_a_walk_by_single_steps_sees_the_same(query: OscQuery) -> None:
    whole = get(query, "/")
    waiting = [whole]
    while waiting:
        node = waiting.pop()
        if not node["FULL_PATH"].startswith(f"{ROOT}/scene"):
            assert get(query, node["FULL_PATH"]) == node
        if node["FULL_PATH"] in {"/", ROOT}:
            waiting.extend(node["CONTENTS"].values())


def test_a_request_shows_its_arguments(query: OscQuery) -> None:
    node = get(query, f"{ROOT}{SetSource.address}")
    assert node["TYPE"] == "hsssd"
    assert node["RANGE"][0]["MIN"] == 1
    assert node["RANGE"][3]["VALS"] == list(SETTABLE)
    for slot in slots(SetSource):
        assert slot.spec.doc in node["DESCRIPTION"]


@pytest.mark.parametrize(
    ("field", "type_", "range_", "unit"),
    [
        ("gain_db", "f", {"MIN": -60.0, "MAX": 12.0}, "gain.db-raw"),
        ("mute", "T", None, None),
        ("solo", "F", None, None),
        ("seed", "h", {"MIN": 0, "MAX": 2**63 - 1}, None),
        ("label", "s", None, None),
        ("weight", "f", {"MIN": 0.0, "MAX": 4.0}, None),
        ("pan", "f", {"MIN": -1.0, "MAX": 1.0}, None),
        ("start_sample", "i", {"MIN": 0, "MAX": 479999}, "samples at 48 kHz"),
        ("duration_samples", "i", {"MIN": 0, "MAX": 480000}, "samples at 48 kHz"),
    ],
)
def test_a_control_has_the_type_that_controllers_know(
    query: OscQuery, field: str, type_: str, range_: Any, unit: str | None
) -> None:
    node = get(query, f"{CONTROL}/{field}")
    assert node["TYPE"] == type_
    assert node["VALUE"] == [VALUES[field]]
    assert node.get("RANGE") == (range_ and [range_])
    assert node.get("UNIT") == (unit and [unit])


def test_a_control_follows_its_source(query: OscQuery, values: dict[str, Any]) -> None:
    values["gain_db"] = 3.5
    assert get(query, f"{CONTROL}/gain_db?VALUE") == {"VALUE": [3.5]}
    values.clear()
    assert status(query, f"{CONTROL}/gain_db") == 404
    assert get(query, f"{ROOT}/control")["CONTENTS"] == {}


@pytest.mark.parametrize("attribute", ["FULL_PATH", "TYPE", "RANGE", "DESCRIPTION", "ACCESS"])
def test_one_attribute_alone(query: OscQuery, attribute: str) -> None:
    path = f"{ROOT}{SetSource.address}"
    assert get(query, f"{path}?{attribute}") == {attribute: get(query, path)[attribute]}


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        (f"{ROOT}/ping?VALUE", 204),  # it cannot be read
        (f"{ROOT}/source?TYPE", 204),  # a container
        (f"{ROOT}/ping?CONTENTS", 204),
        (f"{ROOT}/ping?CLIPMODE", 204),
        ("/?HOST_INFO=1", 400),
        ("/?GABBA", 400),
        ("/?VALUE&TYPE", 400),
        ("/nowhere", 404),
        (f"{ROOT}/ping/deeper", 404),
        (f"{ROOT}/%70ing", 200),
        (f"{ROOT}/ping/", 200),
        ("//", 200),
        ("/../../etc/passwd", 404),
    ],
)
def test_what_cannot_be_had_has_its_status(query: OscQuery, target: str, expected: int) -> None:
    assert status(query, target) == expected


def test_an_address_that_is_none_is_refused(query: OscQuery) -> None:
    data = b"GET http://[/ HTTP/1.0\r\nHost: localhost\r\n\r\n"
    assert raw(query, data).startswith(b"HTTP/1.0 400 ")


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "HEAD", "OPTIONS"])
def test_nothing_can_be_changed(query: OscQuery, method: str) -> None:
    assert status(query, "/", method) == 501


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("localhost", 200),
        ("LOCALHOST:80", 200),
        ("127.0.0.1:7772", 200),
        ("[::1]:7772", 200),
        ("rebound.example", 403),
        ("127.0.0.1.example:80", 403),
        ("[::1", 200),
        ("[x]", 403),
        ("", 403),
    ],
)
def test_a_page_with_a_name_of_its_own_reads_nothing(
    query: OscQuery, host: str, expected: int
) -> None:
    assert status(query, "/?HOST_INFO", Host=host) == expected


def test_a_request_without_a_host_is_refused(query: OscQuery) -> None:
    assert raw(query, b"GET / HTTP/1.0\r\n\r\n").startswith(b"HTTP/1.0 400 ")


@pytest.mark.parametrize(
    "data",
    [b"\r\n\r\n", b"GET\r\n\r\n", b"\x00\xff\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n", b"x" * 20_000],
)
def test_what_is_not_http_ends_and_harms_nothing(query: OscQuery, data: bytes) -> None:
    try:
        raw(query, data)
    except ConnectionResetError:
        assert len(data) > 8192  # what was not read is thrown away
    assert get(query, "/?HOST_INFO")


def test_who_says_nothing_is_left_and_delays_nobody(
    query: OscQuery, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(oscquery, "_REQUEST_S", 0.2)
    with socket.create_connection(("127.0.0.1", query.port), WAIT_S) as silent:
        silent.sendall(b"GET / HT")
        assert get(query, "/?HOST_INFO")
        assert silent.recv(1) == b""


def test_no_more_clients_than_there_is_room_for(
    query: OscQuery, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(oscquery, "_CONNECTIONS_MAX", 1)
    with socket.create_connection(("127.0.0.1", query.port), WAIT_S) as first:
        first.sendall(b"GET /?HOST_INFO HTTP/1.0\r\n")
        with socket.create_connection(("127.0.0.1", query.port), WAIT_S) as second:
            assert second.recv(1) == b""
        first.sendall(b"Host: localhost\r\n\r\n")
        assert first.recv(15) == b"HTTP/1.0 200 OK"


def test_a_defect_behind_it_leaves_it_serving(caplog: pytest.LogCaptureFixture) -> None:
    def broken() -> list[ControlNode]:
        raise KeyError("scene")

    with OscQuery(INFO, broken) as query:
        with pytest.raises((http.client.RemoteDisconnected, ConnectionResetError)):
            status(query, "/")
        assert get(query, "/?HOST_INFO")
    assert "defect" in caplog.text


def test_the_end_waits_for_no_silent_client() -> None:
    before = set(threading.enumerate())
    with OscQuery(INFO, list) as query:
        lines = [socket.create_connection(("127.0.0.1", query.port), WAIT_S) for _ in range(3)]
        assert get(query, "/?HOST_INFO")
    for line in lines:
        line.close()
    assert set(threading.enumerate()) <= before
    with pytest.raises(urllib.error.URLError):
        get(query, "/")


def test_a_port_in_use_and_another_interface_are_told(query: OscQuery) -> None:
    with pytest.raises(PortInUse, match=str(query.port)):
        OscQuery(INFO, list, query.port)
    with pytest.raises(OutOfRange, match="loopback"):
        OscQuery(INFO, list, host="192.0.2.7")


def test_every_attribute_of_the_proposal_is_known() -> None:
    given = {name for name, is_given in ATTRIBUTES.items() if is_given}
    assert given == {
        "FULL_PATH", "CONTENTS", "TYPE", "ACCESS", "VALUE", "RANGE", "DESCRIPTION", "UNIT",
    }  # fmt: skip
