"""OSC 1.0 messages as bytes: address, type tags, arguments.

Written with python-osc's writers. Its message classes skip unknown type tags, pad short packets and
follow negative sizes, and its readers look at each byte of a text in Python: 7 us for the head and
arguments of a `SetSource`, where the reading here takes 2. A test holds both equal.
"""

from __future__ import annotations

import functools
import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any, Final

from pythonosc.parsing import osc_types

from osc_bridge.errors import BadArguments, MalformedMessage
from osc_bridge.message import ROOT
from osc_bridge.spec import Argument, Value, shown

FRAME_MAX = 65_536
"""Bytes of a message or bundle that we receive."""
ARGUMENTS_MAX = 512
_REMEMBERED = 512
_REMEMBERED_MAX_BYTES = 256
"""Longer beginnings of messages are not remembered, so that no sender can fill the memory."""

_WRITERS: Final[dict[str, Callable[[Any], bytes]]] = {
    "i": osc_types.write_int,
    "h": osc_types.write_int64,
    "f": osc_types.write_float,
    "d": osc_types.write_double,
    "s": osc_types.write_string,
    "T": lambda _value: b"",
    "F": lambda _value: b"",
}
_FORMATS: Final = {"i": "i", "h": "q", "f": "f", "d": "d"}
_TAGS: Final = frozenset("ihfdsTF")

Step = struct.Struct | bool | None
"""How to read on: numbers in a row, a value that needs no bytes, or (None) a text."""


@dataclass(frozen=True)
class Head:
    """What can be read before the arguments: address, type tags, where the arguments begin."""

    address: str
    tags: str
    index: int
    steps: tuple[Step, ...]


def encode(address: str, arguments: Sequence[Argument]) -> bytes:
    """One OSC message."""
    tags = "".join([tag for tag, _ in arguments])
    return _beginning(address, tags) + b"".join([_WRITERS[tag](value) for tag, value in arguments])


@functools.lru_cache(_REMEMBERED)
def _beginning(address: str, tags: str) -> bytes:
    return osc_types.write_string(address) + osc_types.write_string("," + tags)


def read_head(message: bytes) -> Head:
    """Address and type tags of a message.

    Raises:
        MalformedMessage: it is not an OSC message.
    """
    if len(message) % 4 or not message.startswith(b"/"):
        raise MalformedMessage(
            f"{shown(message[:16])} does not begin an OSC message of a multiple of 4 bytes; send "
            f"an address such as {ROOT}/ping, type tags and arguments."
        )
    tags_at = _after_text(message, 0)
    index = tags_at if tags_at == len(message) else _after_text(message, tags_at)
    if index > _REMEMBERED_MAX_BYTES:
        return _head_of(message[:index])
    return _remembered_head(message[:index])


def _after_text(message: bytes, start: int) -> int:
    """Where the text that begins at ``start`` ends with its padding, a multiple of 4."""
    end = message.find(b"\0", start)
    if end < 0:
        raise _early(message)
    return (end | 3) + 1


def _head_of(beginning: bytes) -> Head:
    tags_at = _after_text(beginning, 0)
    address = _text(beginning[: beginning.index(b"\0")])
    if tags_at == len(beginning):
        return Head(address, "", tags_at, ())
    tags = _text(beginning[tags_at : beginning.index(b"\0", tags_at)])
    if not tags.startswith(","):
        raise MalformedMessage(
            f"The type tags {shown(tags)} do not begin with a comma; send them as ',hs'."
        )
    return Head(address, tags[1:], len(beginning), _steps(tags[1:]))


_remembered_head = functools.lru_cache(_REMEMBERED)(_head_of)


def _steps(tags: str) -> tuple[Step, ...]:
    """How to read arguments of these tags; of unknown or too many tags nothing is read."""
    if len(tags) > ARGUMENTS_MAX or not _TAGS.issuperset(tags):
        return ()
    steps: list[Step] = []
    for is_number, run in groupby(tags, _FORMATS.__contains__):
        if is_number:
            steps.append(struct.Struct(">" + "".join(_FORMATS[tag] for tag in run)))
        else:
            steps.extend(None if tag == "s" else tag == "T" for tag in run)
    return tuple(steps)


def read_values(message: bytes, head: Head) -> list[Value]:
    """The arguments of a message.

    Raises:
        BadArguments: a type tag that no message uses, or too many.
        MalformedMessage: the bytes do not agree with the type tags.
    """
    if head.tags and not head.steps:
        raise _bad_tags(head.tags)
    values: list[Value] = []
    index = head.index
    try:
        for step in head.steps:
            if step is None:
                end = message.index(b"\0", index)
                values.append(message[index:end].decode())
                index = (end | 3) + 1
            elif step is True or step is False:
                values.append(step)
            else:
                values += step.unpack_from(message, index)
                index += step.size
    except UnicodeDecodeError as error:
        raise _not_utf8(error) from error
    except (ValueError, struct.error) as error:
        raise _early(message) from error
    if index != len(message):
        raise MalformedMessage(
            f"{shown(head.address)} has {len(message)} bytes, its type tags "
            f"{shown(head.tags)} need {index}; send just these."
        )
    return values


def peek_integer(message: bytes, head: Head) -> int:
    """The first argument, whatever is wrong with the others; 0 if it is not a whole integer."""
    size = {"h": 8, "i": 4}.get(head.tags[:1], 0)
    data = message[head.index : head.index + size]
    return int.from_bytes(data, "big", signed=True) if len(data) == size else 0


def _text(data: bytes) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        raise _not_utf8(error) from error


def _bad_tags(tags: str) -> BadArguments:
    unknown = sorted(set(tags) - _TAGS)
    if unknown:
        return BadArguments(
            f"The type tags {shown(tags)} hold {shown(', '.join(map(repr, unknown)))}: "
            "i, h, f, d, s, T and F are allowed; see PROTOCOL.md."
        )
    return BadArguments(
        f"The message has {len(tags)} arguments: at most {ARGUMENTS_MAX} are allowed; "
        "see PROTOCOL.md."
    )


def _not_utf8(error: UnicodeDecodeError) -> MalformedMessage:
    return MalformedMessage(
        f"Text in the message is not UTF-8 (its byte {error.start}); send UTF-8."
    )


def _early(message: bytes) -> MalformedMessage:
    return MalformedMessage(
        f"The message ends early, at byte {len(message)}; send all of its arguments."
    )
