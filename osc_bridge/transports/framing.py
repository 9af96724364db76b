"""Where a packet ends in a TCP stream: SLIP (OSC 1.1), or size-prefixed (OSC 1.0) if a client is.

The first byte of a stream tells: SLIP begins with END or an OSC packet, a size below 16 MB with 0.
"""

from __future__ import annotations

from typing import Protocol

from pythonosc import slip

from osc_bridge.errors import MalformedMessage
from osc_bridge.osc import FRAME_MAX

_SLIP_MAX = 2 * FRAME_MAX
"""Bytes of an escaped frame: each byte may become two."""

Frame = bytes | MalformedMessage


class Framing(Protocol):
    """Cuts a stream into packets and makes packets into a stream."""

    def feed(self, data: bytes) -> list[Frame]: ...
    def frame(self, packet: bytes) -> bytes: ...


class SlipFraming:
    """RFC 1055 with END on both sides of a packet; resynchronises after a bad one."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._skipping = False

    def feed(self, data: bytes) -> list[Frame]:
        """The packets that end in ``data``, and an error for each that was too large or bad."""
        frames: list[Frame] = []
        *ended, rest = data.split(slip.END)
        for part in ended:
            self._add(part, frames)
            if self._buffer and not self._skipping:
                frames.append(_unescape(bytes(self._buffer)))
            self._buffer.clear()
            self._skipping = False
        self._add(rest, frames)
        return frames

    def _add(self, part: bytes, frames: list[Frame]) -> None:
        if self._skipping:
            return
        self._buffer += part
        if len(self._buffer) > _SLIP_MAX:
            self._buffer.clear()
            self._skipping = True
            frames.append(too_large("more than " + str(FRAME_MAX)))

    def frame(self, packet: bytes) -> bytes:
        """The packet between two END bytes."""
        return slip.encode(packet)


class SizedFraming:
    """A big-endian int32 size before each packet."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._skip = 0

    def feed(self, data: bytes) -> list[Frame]:
        """The packets that end in ``data``, and an error for each that was too large."""
        frames: list[Frame] = []
        self._buffer += data
        while self._advance(frames):
            pass
        return frames

    def _advance(self, frames: list[Frame]) -> bool:
        if self._skip:
            skipped = min(self._skip, len(self._buffer))
            del self._buffer[:skipped]
            self._skip -= skipped
            return not self._skip
        if len(self._buffer) < 4:
            return False
        size = int.from_bytes(self._buffer[:4], "big")
        if size > FRAME_MAX:
            frames.append(too_large(str(size)))
            self._skip = size
            del self._buffer[:4]
            return True
        if len(self._buffer) < 4 + size:
            return False
        frames.append(bytes(self._buffer[4 : 4 + size]))
        del self._buffer[: 4 + size]
        return True

    def frame(self, packet: bytes) -> bytes:
        """The packet behind its size."""
        return len(packet).to_bytes(4, "big") + packet


def framing_of(first_byte: int) -> Framing:
    """The framing of a stream that begins with ``first_byte``."""
    return SizedFraming() if first_byte == 0 else SlipFraming()


def too_large(size: str) -> MalformedMessage:
    """The error of a frame that is larger than allowed."""
    return MalformedMessage(
        f"The frame has {size} bytes: at most {FRAME_MAX} bytes are allowed; send less at once, "
        "and files by their path."
    )


def _unescape(frame: bytes) -> Frame:
    try:
        return slip.decode(frame)
    except slip.ProtocolError:
        return MalformedMessage(
            "A SLIP frame holds ESC (0xDB) before another byte than 0xDC or 0xDD: only these two "
            "are allowed; escape it as OSC 1.1 (RFC 1055) says."
        )
