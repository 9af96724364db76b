"""OSCQuery over HTTP: controllers read here what the engine understands and what is set now.

Any address of the engine can be asked for (``/wildtrack/source``), also one attribute of it
(``?VALUE``), and ``?HOST_INFO`` says where OSC goes. Only reading, only on the loopback interface,
and only under its own name: a web page that has a name of its own point here is refused.
"""

from __future__ import annotations

import io
import ipaddress
import json
import logging
import socket
import threading
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from types import TracebackType
from typing import Final, Self
from urllib.parse import unquote, urlsplit

from osc_bridge.message import ROOT
from osc_bridge.oscquery_tree import ControlNode, Node, find, tree
from osc_bridge.transports.addresses import accepted, bound_socket
from osc_bridge.transports.base import LOOPBACK
from osc_bridge.transports.loop import READ, SocketLoop

log = logging.getLogger(__name__)

ATTRIBUTES: Final = {
    "FULL_PATH": True, "CONTENTS": True, "TYPE": True,
    "ACCESS": True, "VALUE": True, "RANGE": True, "DESCRIPTION": True, "UNIT": True,
    "TAGS": False, "EXTENDED_TYPE": False, "CRITICAL": False, "CLIPMODE": False,
    "OVERLOADS": False, "LISTEN": False, "PATH_CHANGED": False,
}  # fmt: skip
"""Every attribute of the proposal, and whether it is given here."""
_REQUIRED: Final = 3
"""The first ones are no extensions."""
_HEAD_MAX_BYTES: Final = 8192
_REQUEST_S: Final = 2.0
"""How long a client may take to send its request, and again to take the answer."""
_THREADS: Final = 4
_CONNECTIONS_MAX: Final = 32
"""Further ones are closed at once."""

Controls = Callable[[], Iterable[ControlNode]]


@dataclass(frozen=True)
class HostInfo:
    """What ``?HOST_INFO`` says; ``transport`` is UDP or TCP."""

    name: str
    osc_port: int
    transport: str = "UDP"
    osc_ip: str = LOOPBACK

    def document(self) -> Node:
        return {
            "NAME": self.name,
            "OSC_IP": self.osc_ip,
            "OSC_PORT": self.osc_port,
            "OSC_TRANSPORT": self.transport,
            "EXTENSIONS": dict(list(ATTRIBUTES.items())[_REQUIRED:]),
        }


@dataclass(frozen=True)
class Answer:
    """A status and what stands in the body, if anything."""

    status: HTTPStatus
    document: Node | None = None


class OscQuery:
    """Serves one address space; a context manager. ``controls`` is called for each request."""

    def __init__(
        self, info: HostInfo, controls: Controls, port: int = 0, host: str = LOOPBACK
    ) -> None:
        """Take the port.

        Raises:
            OutOfRange: another interface than loopback, or no such port.
            PortInUse: another program has it.
        """
        self._info = info
        self._controls = controls
        self._socket = bound_socket(socket.SOCK_STREAM, host, port)
        self.port: int = self._socket.getsockname()[1]
        self._names = {"localhost", LOOPBACK, "::1", str(self._socket.getsockname()[0])}
        self._loop = SocketLoop("oscquery")
        self._loop.watch(self._socket, READ, self._accept)
        self._workers = ThreadPoolExecutor(_THREADS, "oscquery")
        self._lock = threading.Lock()
        self._open: set[socket.socket] = set()

    def __enter__(self) -> Self:
        """Begin to serve."""
        self._loop.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Free the port and part with all clients."""
        self._loop.close()
        self._socket.close()
        with self._lock:
            for connection in self._open:
                with suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)
        self._workers.shutdown()

    def answer(self, target: str, host: str | None) -> Answer:
        """What a GET of ``target`` (path and query) with this Host header is answered with."""
        if host is None:
            return Answer(HTTPStatus.BAD_REQUEST)
        if _name_of(host) not in self._names:
            return Answer(HTTPStatus.FORBIDDEN)
        try:
            url = urlsplit(target)
        except ValueError:
            return Answer(HTTPStatus.BAD_REQUEST)
        if url.query == "HOST_INFO":
            return Answer(HTTPStatus.OK, self._info.document())
        if url.query and url.query not in ATTRIBUTES:
            return Answer(HTTPStatus.BAD_REQUEST)
        return _described(find(tree(self._controls()), unquote(url.path)), url.query)

    def _accept(self, _events: int) -> None:
        found = accepted(self._socket)
        if found is None:
            return
        connection, _ = found
        with self._lock:
            is_welcome = len(self._open) < _CONNECTIONS_MAX
            if is_welcome:
                self._open.add(connection)
        if is_welcome:
            self._workers.submit(self._serve, connection)
        else:
            connection.close()

    def _serve(self, connection: socket.socket) -> None:
        try:
            _Exchange(connection, self.answer)
        except OSError as error:
            log.debug("An OSCQuery client went away: %s", error)
        except Exception:
            log.exception("An OSCQuery request met a defect.")
        finally:
            with self._lock:
                self._open.discard(connection)
            connection.close()


def _described(node: Node | None, attribute: str) -> Answer:
    """A whole node, or one attribute of it: 404 without the node, 204 without the attribute."""
    if node is None:
        return Answer(HTTPStatus.NOT_FOUND)
    if not attribute:
        return Answer(HTTPStatus.OK, node)
    if attribute not in node:
        return Answer(HTTPStatus.NO_CONTENT)
    return Answer(HTTPStatus.OK, {attribute: node[attribute]})


def _name_of(host: str) -> str:
    """The name or address in a Host header, in lower case, without its port and brackets."""
    name = host.strip().lower()
    if name.startswith("["):
        name = name[1:].partition("]")[0]
        with suppress(ValueError):
            return str(ipaddress.ip_address(name))
        return ""
    return name.rpartition(":")[0] if ":" in name else name


class _Exchange(BaseHTTPRequestHandler):
    """One request and its answer; the connection ends with it."""

    server_version = ROOT.strip("/")
    sys_version = ""
    timeout = _REQUEST_S

    def __init__(
        self, connection: socket.socket, answer: Callable[[str, str | None], Answer]
    ) -> None:
        self._answer = answer
        super().__init__(connection, connection.getpeername(), None)  # type: ignore[arg-type]

    def setup(self) -> None:
        """Read the whole head first, within one deadline: nothing else is read."""
        super().setup()
        self.rfile = io.BufferedReader(io.BytesIO(_head(self.connection)))

    def do_GET(self) -> None:
        """Answer in JSON."""
        answer = self._answer(self.path, self.headers.get("Host"))
        body = b""
        if answer.document is not None:
            body = json.dumps(answer.document, ensure_ascii=False, allow_nan=False).encode()
        self.send_response(answer.status)
        if answer.status is not HTTPStatus.NO_CONTENT:
            self.send_header("Content-Type", "application/json; charset=utf-8")
            self.send_header("Content-Length", str(len(body)))
        self.send_header("Cache-Control", "no-store")
        self.send_header("X-Content-Type-Options", "nosniff")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base's name
        """Say it in the log, for who listens there."""
        log.debug(format, *args)


def _head(connection: socket.socket) -> bytes:
    """The bytes up to the empty line, or as far as they come in time and fit."""
    data = b""
    deadline_s = time.monotonic() + _REQUEST_S
    while b"\r\n\r\n" not in data and len(data) < _HEAD_MAX_BYTES:
        left_s = deadline_s - time.monotonic()
        if left_s <= 0:
            raise TimeoutError("the request did not come in time")
        connection.settimeout(left_s)
        part = connection.recv(_HEAD_MAX_BYTES - len(data))
        if not part:
            break
        data += part
    connection.settimeout(_REQUEST_S)
    return data
