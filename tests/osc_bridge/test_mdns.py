"""The engine in the list of services of this machine: a real browser finds it on loopback."""

from __future__ import annotations

import errno
import logging
import os
import threading
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
import zeroconf

from osc_bridge import mdns
from osc_bridge.discovery import EngineAddress
from osc_bridge.mdns import OSC_TCP, OSC_UDP, OSCQUERY, Announcement, services

WAIT_S = 20.0
ADDRESS = EngineAddress(
    os.getpid(), "/films/Alley no. 7", 7770, 7771, 7772, ("127.0.0.1",), "1.1", "2026-01-01"
)


class Seen(zeroconf.ServiceListener):
    """The names that a browser has found and lost."""

    def __init__(self) -> None:
        self.names: set[str] = set()
        self.changed = threading.Condition()

    def add_service(self, zc: zeroconf.Zeroconf, type_: str, name: str) -> None:
        with self.changed:
            self.names.add(name)
            self.changed.notify_all()

    def remove_service(self, zc: zeroconf.Zeroconf, type_: str, name: str) -> None:
        with self.changed:
            self.names.discard(name)
            self.changed.notify_all()

    def update_service(self, zc: zeroconf.Zeroconf, type_: str, name: str) -> None:
        """Nothing that these tests look at."""

    def wait_for(self, names: set[str]) -> None:
        with self.changed:
            assert self.changed.wait_for(lambda: names == self.names, WAIT_S)


@pytest.fixture
def controller() -> Iterator[zeroconf.Zeroconf]:
    """A controller's side on the loopback interface."""
    found = zeroconf.Zeroconf(["127.0.0.1"])
    yield found
    found.close()


def test_a_browser_finds_all_three_and_loses_them(controller: zeroconf.Zeroconf) -> None:
    seen = Seen()
    browser = zeroconf.ServiceBrowser(controller, [OSC_UDP, OSC_TCP, OSCQUERY], seen)
    name = f"Wildtrack Alley no- 7 ({os.getpid()})"
    names = {f"{name}.{kind}" for kind in (OSC_UDP, OSC_TCP, OSCQUERY)}
    with Announcement(ADDRESS) as announcement:
        announcement.wait(WAIT_S)
        assert announcement.problem == ""
        seen.wait_for(names)
        found = controller.get_service_info(OSC_TCP, f"{name}.{OSC_TCP}")
        assert found is not None
        assert found.port == 7771
        assert found.parsed_addresses() == ["127.0.0.1"]
        assert found.decoded_properties == {
            "txtvers": "1", "session": "Alley no- 7", "api": "1.1", "pid": str(os.getpid()),
        }  # fmt: skip
    seen.wait_for(set())
    browser.cancel()


def test_one_that_ends_at_once_leaves_no_thread() -> None:
    before = set(threading.enumerate())
    with Announcement(ADDRESS):
        pass
    assert set(threading.enumerate()) <= before


@pytest.mark.parametrize(
    ("ports", "kinds"),
    [((1, 0, 0), [OSC_UDP]), ((0, 2, 3), [OSC_TCP, OSCQUERY]), ((1, 2, 0), [OSC_UDP, OSC_TCP])],
)
def test_only_open_ports_are_named(ports: tuple[int, int, int], kinds: list[str]) -> None:
    udp, tcp, http = ports
    found = services(replace(ADDRESS, udp_port=udp, tcp_port=tcp, http_port=http))
    assert [service.type for service in found] == kinds
    assert [service.port for service in found] == [port for port in ports if port]


@pytest.mark.parametrize("name", ["雨の夜" * 40, "a.b.c", "x" * 255, "tab\tand\x00null", ""])
def test_any_folder_name_gives_one_label(name: str) -> None:
    for service in services(replace(ADDRESS, session=f"/films/{name}")):
        label = service.name.removesuffix(f".{service.type}")
        assert "." not in label
        assert len(label.encode()) <= 63
        assert label.isprintable()
        zeroconf.service_type_name(service.name, strict=False)


@pytest.mark.parametrize("host", ["0.0.0.0", "::"])
def test_every_interface_is_named_by_its_address(host: str) -> None:
    (service, *_) = services(replace(ADDRESS, hosts=(host,)))
    assert "127.0.0.1" in service.parsed_addresses()
    assert host not in service.parsed_addresses()


def test_a_port_that_is_refused_is_a_warning(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(*_: Any) -> None:
        raise OSError(errno.EADDRINUSE, "Address already in use")

    monkeypatch.setattr(zeroconf, "Zeroconf", refuse)
    with caplog.at_level(logging.WARNING), Announcement(ADDRESS) as announcement:
        assert "5353" in announcement.problem
        assert "--mdns" in announcement.problem
    assert announcement.problem in caplog.text
    assert mdns.log.name in {record.name for record in caplog.records}
