"""PROTOCOL.md, made from the schema: ``python -m osc_bridge.protocol_doc [--check]``.

With ``--check`` nothing is written; the exit code is 1 when PROTOCOL.md is stale.
"""

from __future__ import annotations

import inspect
import itertools
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from osc_bridge.control import CONTROL, encode_value
from osc_bridge.errors import WildtrackError
from osc_bridge.events import CancelledReply, Done, Fail, Progress, Sent, Told
from osc_bridge.fields import Spec
from osc_bridge.message import ROOT, Message, Rows, readable, slots
from osc_bridge.protocol_rules import INTRODUCTION
from osc_bridge.schema import (
    NOTICES,
    REQUESTS,
    ROWS,
    SCENE_SETTABLE,
    SETTABLE,
    Notice,
    Request,
    SceneMade,
)
from osc_bridge.wire import encode_event, encode_request
from presets.files import write_whole

PATH = Path(__file__).with_name("PROTOCOL.md")
_EXAMPLE_ID = 7
_EXAMPLE_SEQUENCE = 41

Row = tuple[str, ...]
_ID_ROW: Row = ("`request_id`", "h, i", "1 to 9223372036854775807", "chosen by the client")
_SEQUENCE_ROW: Row = ("`sequence`", "h", "0 to 9223372036854775807", "one more than the one before")


def protocol() -> str:
    """The whole document; the same for the same schema."""
    parts = [INTRODUCTION, _overview(), *_groups()]
    parts += [
        _settable_section("source", "/source/set", SETTABLE),
        _settable_section("scene", "/scene/set", SCENE_SETTABLE),
        _control_section(),
        _rows_section(),
        _answers_section(),
        _notices_section(),
        _errors_section(),
    ]
    return "\n".join(parts)


def _overview() -> str:
    rows = (
        (f"`{ROOT}{request.address}`", f"`{request.reply.__name__}`", _summary(request))
        for request in REQUESTS
    )
    return "## All requests\n\n" + _table(("Address", "Ends in", "What it does"), rows)


def _groups() -> list[str]:
    """The requests, by the first part of their address; those of one part are the engine's."""
    parts = []
    for name, requests in itertools.groupby(REQUESTS, _group):
        parts.append(f"## Requests: {name}\n")
        parts += [_request_section(request) for request in requests]
    return parts


def _group(request: type[Request[Any]]) -> str:
    first, _, rest = request.address[1:].partition("/")
    return first if rest or first == "render" else "engine"


def _request_section(request: type[Request[Any]]) -> str:
    example = request.example()
    wire = encode_request(_EXAMPLE_ID, example)
    done = Done(_EXAMPLE_ID, ROOT + request.address, request.reply.example())
    return (
        f"### `{ROOT}{request.address}`\n\n{_prose(request)}\n\n"
        f"{_fields_table('Argument', request, _ID_ROW)}\n"
        f"Ends in `{request.reply.__name__}`: {_prose(request.reply)}\n\n"
        f"{_fields_table('Result', request.reply)}\n"
        f"```\n{example.on_wire(_EXAMPLE_ID)}\n{_escaped(wire)}\n"
        f"{_lines(done)}\n```\n"
    )


def _settable_section(what: str, address: str, settable: Mapping[str, Spec]) -> str:
    rows = ((f"`{name}`", spec.tags, spec.allowed, spec.doc) for name, spec in settable.items())
    table = _table(("Field", "Types", "Allowed", "Meaning"), rows)
    return f"## Settable fields of a {what}\n\nFor `{ROOT}{address}`.\n\n{table}"


def _control_section() -> str:
    address = f"{CONTROL}alley/s1/gain_db"
    packet = _escaped(encode_value("alley", "s1", "gain_db", -6.0))
    return (
        f"## Control addresses\n\nOne for each settable field of each source, for requests and for "
        f"what subscribers are told.\n\n```\n{readable(address, [('f', -6.0)])}\n{packet}\n```\n"
    )


def _rows_section() -> str:
    parts = ["## Rows of lists\n"]
    for row in ROWS:
        parts.append(f"### {row.__name__}\n\n{_prose(row)}\n\n{_fields_table('Column', row)}")
    return "\n".join(parts)


def _answers_section() -> str:
    done = Done(_EXAMPLE_ID, ROOT + "/scene/new", SceneMade.example())
    plain = [cls.example() for cls in (Fail, CancelledReply, Progress)]
    sections = [f"### `{Done.address}`\n\n{_prose(Done)}\n\n{_block(done)}"]
    sections += [
        f"### `{event.address}`\n\n{_prose(type(event))}\n\n"
        f"{_fields_table('Argument', type(event))}\n{_block(event)}"
        for event in plain
    ]
    return "## Answers\n\n" + "\n".join(sections)


def _notices_section() -> str:
    return "## Notices\n\n" + "\n".join(_notice_section(notice) for notice in NOTICES)


def _notice_section(notice: type[Notice]) -> str:
    told = Told(_EXAMPLE_SEQUENCE, notice.example())
    return (
        f"### `{told.address}`\n\n{_prose(notice)}\n\n"
        f"{_fields_table('Argument', notice, _SEQUENCE_ROW)}\n{_block(told)}"
    )


def _errors_section() -> str:
    rows = ((str(e.code), f"`{e.__name__}`", _kind(e)) for e in _coded_errors())
    return "## Error codes\n\n" + _table(("Code", "Name", "Kind"), rows)


def _coded_errors() -> list[type[WildtrackError]]:
    found = {cls.code: cls for cls in _descendants(WildtrackError) if "code" in vars(cls)}
    return [found[code] for code in sorted(found)]


def _descendants(cls: type[WildtrackError]) -> list[type[WildtrackError]]:
    below = [d for child in cls.__subclasses__() for d in _descendants(child)]
    return [c for c in [cls, *below] if c.__module__ == WildtrackError.__module__]


def _kind(error: type[WildtrackError]) -> str:
    base = error.__bases__[0]
    if base is WildtrackError:
        return "The caller asked for it: not a failure"
    return (inspect.getdoc(base) or "").rstrip(".")


def _fields_table(title: str, cls: type[Message], *first: Row) -> str:
    rows = list(first)
    for slot in slots(cls):
        default = "" if not slot.optional else f"; default {_default(cls, slot.name)}"
        rows.append(
            (f"`{slot.name}`", slot.spec.tags, _allowed(slot.spec), slot.spec.doc + default)
        )
    if not rows:
        return "(no arguments)\n"
    return _table((title, "Types", "Allowed", "Meaning"), rows)


def _allowed(spec: Spec) -> str:
    return f"rows of `{spec.row.__name__}`" if isinstance(spec, Rows) else spec.allowed


def _default(cls: type[Message], name: str) -> str:
    value = getattr(cls, name)
    if isinstance(value, tuple):
        return " ".join(map(str, value))
    return '""' if value == "" else str(value).lower() if isinstance(value, bool) else str(value)


def _table(head: Row, rows: Iterable[Row]) -> str:
    lines = [head, tuple("---" for _ in head), *rows]
    return "".join(
        "| " + " | ".join(c.replace("|", "\\|") for c in cells) + " |\n" for cells in lines
    )


def _prose(cls: type) -> str:
    """The docstring without its doctests."""
    doc = inspect.getdoc(cls) or ""
    return doc.split(">>>")[0].strip()


def _summary(cls: type) -> str:
    """The first paragraph of the docstring, on one line."""
    return " ".join(_prose(cls).split("\n\n")[0].split())


def _block(event: Sent) -> str:
    return f"```\n{_lines(event)}\n```\n"


def _lines(event: Sent) -> str:
    """What is sent, as a person reads it and as its bytes."""
    return f"{readable(event.address, event.arguments())}\n{_escaped(encode_event(event))}"


def _escaped(data: bytes) -> str:
    """Printable ASCII as it is, all other bytes as ``\\xNN``."""
    return "".join(chr(b) if 32 <= b < 127 and b != 92 else f"\\x{b:02x}" for b in data)


def main(arguments: list[str]) -> int:
    """Write PROTOCOL.md, or compare it with ``--check``; returns the exit code."""
    if arguments not in ([], ["--check"]):
        sys.stderr.write(f"{arguments} is not understood: nothing or --check is allowed.\n")
        return 2
    if not arguments:
        write_whole(PATH, protocol().encode())
        return 0
    if PATH.is_file() and PATH.read_text(encoding="utf-8") == protocol():
        return 0
    sys.stderr.write("PROTOCOL.md is stale: run 'python -m osc_bridge.protocol_doc'.\n")
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
