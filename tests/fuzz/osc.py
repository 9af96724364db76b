"""Fuzz what reads OSC: any bytes must end in a request or in an error that can be answered.

    pip install atheris
    python tests/fuzz/osc.py -atheris_runs=100000

The first byte chooses the door: a datagram, a SLIP stream or a stream of sizes. Atheris is no
dependency of Wildtrack; `tests/osc_bridge/test_fuzz.py` runs the same body over `seeds`.
"""

from __future__ import annotations

import importlib
import struct
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any


def instrumented() -> AbstractContextManager[Any]:
    """Let atheris see the branches of what is imported, when it runs this file."""
    if __name__ != "__main__":
        return nullcontext()
    tracing: AbstractContextManager[Any] = importlib.import_module("atheris").instrument_imports(
        include=["osc_bridge", "pythonosc"]
    )
    return tracing


with instrumented():
    from osc_bridge.bundle import BUNDLE_DEPTH_MAX, BUNDLE_MESSAGES_MAX, unpack
    from osc_bridge.control import is_control, read_control
    from osc_bridge.errors import WildtrackError
    from osc_bridge.events import Fail
    from osc_bridge.osc import FRAME_MAX, encode
    from osc_bridge.schema import REQUESTS
    from osc_bridge.transports.framing import Framing, SizedFraming, SlipFraming
    from osc_bridge.wire import DATAGRAM_MAX, encode_event, encode_request, read_event, read_request

LENGTH_MAX = 2000
"""Bytes of an input that atheris makes; longer ones are many times slower and find no more."""
NOW_S = 1_800_000_000.0


def packet(data: bytes) -> None:
    """One datagram or frame: each message of it is valid, or has an answer that fits a datagram."""
    try:
        messages = unpack(data, NOW_S)
    except WildtrackError as error:
        answered(0, "", error)
        return
    assert len(messages) <= BUNDLE_MESSAGES_MAX
    for message in messages:
        if is_control(message):
            control(message)
            continue
        incoming = read_request(message)
        if isinstance(incoming.request, WildtrackError):
            answered(incoming.request_id, incoming.address, incoming.request)
        else:
            same = read_request(encode_request(incoming.request_id, incoming.request))
            assert same.request == incoming.request
        strange_answer(message)


def control(message: bytes) -> None:
    """A fader's message."""
    controlled = read_control(message)
    if isinstance(controlled.request, WildtrackError):
        answered(0, controlled.address, controlled.request)


def answered(request_id: int, address: str, error: WildtrackError) -> None:
    fail = Fail.of(request_id, address, error)
    data = encode_event(fail)
    assert len(data) <= DATAGRAM_MAX
    assert read_event(data) == fail


def strange_answer(message: bytes) -> None:
    """The same bytes from an engine to a client."""
    try:
        event = read_event(message)
    except WildtrackError:
        return
    assert read_event(encode_event(event)) == event


def stream(framing: Framing, data: bytes) -> None:
    """A TCP stream, cut at each byte of the value of its first byte."""
    size = data[0] + 1 if data else 1
    for start in range(0, len(data), size):
        for frame in framing.feed(data[start : start + size]):
            if isinstance(frame, bytes):
                packet(frame)
            else:
                answered(0, "", frame)


def one_input(data: bytes) -> None:
    """The body: everything that may arrive is allowed, an exception is a defect."""
    doors: tuple[Callable[[bytes], None], ...] = (
        packet,
        lambda rest: stream(SlipFraming(), rest),
        lambda rest: stream(SizedFraming(), rest),
    )
    if data:
        doors[data[0] % len(doors)](data[1:])


def seeds() -> Iterator[bytes]:
    """Inputs to begin with: every request, bundles, framings, and classic lies."""
    for body in bodies():
        yield b"\0" + body
        yield b"\1" + SlipFraming().frame(body) * 2
        yield b"\2" + SizedFraming().frame(body) * 2
    yield b"\1\xc0\xdb\xc0\xdb\xdb\xdc\xc0"
    yield b"\1" + b"a" * (2 * FRAME_MAX + 2) + b"\xc0"
    yield b"\2\x7f\xff\xff\xff" + b"a" * 100


def bodies() -> Iterator[bytes]:
    messages = [encode_request(7, cls.example()) for cls in REQUESTS]
    yield from messages
    yield bundle(*messages)
    yield bundle(*messages, tag=2**63)
    yield bundle(*messages * 10)
    for depth in (1, BUNDLE_DEPTH_MAX, BUNDLE_DEPTH_MAX + 1, 500):
        yield nested(messages[1], depth)
    yield b"#bundle\0" + bytes(8) + b"\xff\xff\xff\xfc" + messages[1]
    yield encode("/wildtrack/ping", [("h", 2**63 - 1), ("d", float("nan")), ("s", "é" * 90)])
    yield encode("/wildtrack/control/alley/s1/gain_db", [("f", -6.0)])
    yield encode("/wildtrack/control/alley/s1/mute", [("f", float("inf"))])
    yield b"/" + b"a" * 4000 + b"\0" * 3 + b",h\0\0" + bytes(8)
    yield b"/wildtrack/ping\0," + b"T" * 2000 + b"\0" * 3
    yield b"/wildtrack/\xff\xfe\0\0\0,h\0\0" + bytes(8)
    yield b""


def bundle(*elements: bytes, tag: int = 1) -> bytes:
    sized = b"".join(struct.pack(">i", len(e)) + e for e in elements)
    return b"#bundle\0" + tag.to_bytes(8, "big") + sized


def nested(message: bytes, depth: int) -> bytes:
    for _ in range(depth):
        message = bundle(message)
    return message


def main() -> None:
    atheris = importlib.import_module("atheris")
    with tempfile.TemporaryDirectory() as folder:
        for number, seed in enumerate(seed for seed in seeds() if len(seed) <= LENGTH_MAX):
            Path(folder, f"{number:03}").write_bytes(seed)
        atheris.Setup([sys.argv[0], f"-max_len={LENGTH_MAX}", *sys.argv[1:], folder], one_input)
        atheris.Fuzz()


if __name__ == "__main__":
    main()
