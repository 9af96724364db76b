"""PROTOCOL.md, made from the schema: ``python -m osc_bridge.protocol_doc [--check]``.

With ``--check`` nothing is written; the exit code is 1 when PROTOCOL.md is stale.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from osc_bridge.conversation import ANSWERS_MAX
from osc_bridge.errors import WildtrackError
from osc_bridge.events import CancelledReply, Done, Event, Fail, Progress
from osc_bridge.fields import Spec
from osc_bridge.message import ROOT, Message, Rows, readable, slots
from osc_bridge.schema import (
    API_MAJOR,
    API_MINOR,
    REQUESTS,
    SETTABLE,
    Request,
    SceneMade,
    SourceRow,
    TakeRow,
)
from osc_bridge.wire import (
    BUNDLE_DEPTH_MAX,
    BUNDLE_MESSAGES_MAX,
    DATAGRAM_MAX,
    EARLY_MAX_S,
    FRAME_MAX,
    encode_event,
    encode_request,
)
from presets.files import write_whole

PATH = Path(__file__).with_name("PROTOCOL.md")
_EXAMPLE_ID = 7

_INTRODUCTION = f"""\
# The Wildtrack protocol, {API_MAJOR}.{API_MINOR}

<!-- Made by `python -m osc_bridge.protocol_doc` from osc_bridge/schema.py: do not edit. -->

The engine is driven by OSC messages under `{ROOT}`, over UDP or TCP on the loopback interface.
Audio and pictures never travel: messages name files by their absolute path.

## Rules

- The first argument of each request is its **request id**, an int64 (`h`; `i` is accepted) from 1
  to 9223372036854775807 that the client chooses. Each request ends in exactly one `{ROOT}/done`,
  `{ROOT}/fail` or `{ROOT}/cancelled`, which begins with this id and the request's address; long
  work sends `{ROOT}/progress` before. Answers go to the port that the request came from.
- Use a new id for each request. An id that is repeated with the same address is not carried out
  again: it gets the first answer (the last {ANSWERS_MAX} answers of a client are kept; `/hello`
  forgets them). Repeated with another address, it fails with `BadArguments`. Over UDP, repeat a
  request that got no answer.
- An id of 0 and an empty address in a `{ROOT}/fail` mean that the request could not be read so far.
- Types: integers are sent as `h` or `i`, numbers as `d`, `f`, `i` or `h`, booleans as `T` and `F`
  or the integers 1 and 0, text as `s` in UTF-8. NaN and infinities are refused. Trailing arguments
  with a default may be left out. Positions and lengths are samples at 48 kHz.
- A datagram that the engine sends has at most {DATAGRAM_MAX} bytes; long lists come in pages. What
  it receives may have {FRAME_MAX} bytes.
- TCP uses SLIP framing (OSC 1.1, RFC 1055, END on both sides). A client that begins with an int32
  size (OSC 1.0, as liblo does) is understood and answered in kind.
- A bundle's messages are carried out in order, each answered by itself; bundles may nest
  {BUNDLE_DEPTH_MAX} deep and hold {BUNDLE_MESSAGES_MAX} messages. Time tags delay nothing: a bundle
  due within {EARLY_MAX_S:g} s is carried out at once, a later one is refused with `OutOfRange`.
- Address patterns (`*`, `?`, `[a-z]`) are not expanded.
- A session's engine writes its ports to `engine.json` in the session folder:
  `{{"pid": 4711, "udp_port": 7770, "tcp_port": 7771, "api": "{API_MAJOR}.{API_MINOR}",
  "host": "127.0.0.1"}}`.
"""


def protocol() -> str:
    """The whole document; the same for the same schema."""
    parts = [_INTRODUCTION, "## Requests\n"]
    parts += [_request_section(request) for request in REQUESTS]
    parts += [_settable_section(), _rows_section(), _events_section(), _errors_section()]
    return "\n".join(parts)


def _request_section(request: type[Request[Any]]) -> str:
    example = request.example()
    wire = encode_request(_EXAMPLE_ID, example)
    done = Done(_EXAMPLE_ID, ROOT + request.address, request.reply.example())
    return (
        f"### `{ROOT}{request.address}`\n\n{_prose(request)}\n\n"
        f"{_fields_table('Argument', request, with_id=True)}\n"
        f"Ends in `{request.reply.__name__}`: {_prose(request.reply)}\n\n"
        f"{_fields_table('Result', request.reply, with_id=False)}\n"
        f"```\n{example.on_wire(_EXAMPLE_ID)}\n{_escaped(wire)}\n"
        f"{readable(done.address, done.arguments())}\n```\n"
    )


def _settable_section() -> str:
    rows = ((f"`{name}`", spec.tags, spec.allowed, spec.doc) for name, spec in SETTABLE.items())
    table = _table(("Field", "Types", "Allowed", "Meaning"), rows)
    return f"## Settable fields of a source\n\nFor `{ROOT}/source/set`.\n\n{table}"


def _rows_section() -> str:
    parts = ["## Rows of lists\n"]
    for row in (SourceRow, TakeRow):
        table = _fields_table("Column", row, with_id=False)
        parts.append(f"### {row.__name__}\n\n{_prose(row)}\n\n{table}")
    return "\n".join(parts)


def _events_section() -> str:
    done = Done(_EXAMPLE_ID, ROOT + "/scene/new", SceneMade.example())
    plain = [cls.example() for cls in (Fail, CancelledReply, Progress)]
    sections = [f"### `{Done.address}`\n\n{_prose(Done)}\n\n{_example(done)}"]
    sections += [
        f"### `{event.address}`\n\n{_prose(type(event))}\n\n"
        f"{_fields_table('Argument', type(event), with_id=False)}\n{_example(event)}"
        for event in plain
    ]
    return "## Answers\n\n" + "\n".join(sections)


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


def _fields_table(title: str, cls: type[Message], *, with_id: bool) -> str:
    rows = [("`request_id`", "h, i", "1 to 9223372036854775807", "chosen by the client")]
    rows = rows if with_id else []
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
    return '""' if value == "" else str(value).lower() if isinstance(value, bool) else str(value)


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [head, tuple("---" for _ in head), *rows]
    return "".join(
        "| " + " | ".join(c.replace("|", "\\|") for c in cells) + " |\n" for cells in lines
    )


def _prose(cls: type) -> str:
    """The docstring without its doctests."""
    doc = inspect.getdoc(cls) or ""
    return doc.split(">>>")[0].strip()


def _example(event: Event) -> str:
    line = readable(event.address, event.arguments())
    return f"```\n{line}\n{_escaped(encode_event(event))}\n```\n"


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
