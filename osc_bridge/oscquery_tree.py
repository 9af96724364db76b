"""The address space as OSCQuery shows it, made from the schema and from the sources that there are.

Each request is a method that may only be sent to; each setting of a source is a method that can be
read and written at its control address. The attributes are those of the OSCQuery proposal
(https://github.com/Vidvox/OSCQueryProposal).
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from osc_bridge.control import CONTROL
from osc_bridge.fields import (
    INT32_MAX,
    INT64_MAX,
    Argument,
    Choice,
    Flag,
    Int,
    Real,
    Spec,
    Value,
    ZeroOrInt,
)
from osc_bridge.message import ROOT, slots
from osc_bridge.schema import REQUESTS, SETTABLE, Request

Node = dict[str, Any]

NOTHING, WRITE, READ_WRITE = 0, 2, 3
"""The values of ACCESS that occur here."""
UNITS: Final = {"dB": "gain.db-raw", "s": "time.second", "pixels": "distance.pixels"}
"""Units that the proposal names; ours stand for themselves."""
_REQUEST_ID: Final = Int(1, INT64_MAX, "", "request id, new for each request", 7)
_CONTAINERS: Final = {
    "/": "Wildtrack",
    ROOT: "the engine: requests, each with a request id first, and controls",
    CONTROL.rstrip("/"): "one address for each setting of each source, scene by scene: bare values",
}


@dataclass(frozen=True)
class ControlNode:
    """One setting of one source as it is now; the field is one of the settable ones."""

    scene: str
    source: str
    field: str
    value: Value

    @property
    def address(self) -> str:
        return f"{CONTROL}{self.scene}/{self.source}/{self.field}"


def tree(controls: Iterable[ControlNode]) -> Node:
    """The whole address space as one nested object."""
    root = _container("/")
    for address, attributes in _requests().items():
        _place(root, address, attributes)
    _place(root, CONTROL.rstrip("/"), {})
    for control in controls:
        _place(root, control.address, _control(control))
    return root


def find(root: Node, path: str) -> Node | None:
    """The node at an OSC address; None if there is none."""
    node: Node | None = root
    for name in filter(None, path.split("/")):
        node = node.get("CONTENTS", {}).get(name) if node is not None else None
    return node


@functools.cache
def _requests() -> Mapping[str, Node]:
    return {ROOT + request.address: _method(request) for request in REQUESTS}


def _place(root: Node, address: str, attributes: Node) -> None:
    """Put a node into the tree, with the containers above it."""
    node, path = root, ""
    for name in filter(None, address.split("/")):
        path += f"/{name}"
        node = node.setdefault("CONTENTS", {}).setdefault(name, _container(path))
    node.update(attributes)


def _container(path: str) -> Node:
    node: Node = {"FULL_PATH": path, "ACCESS": NOTHING}
    if path in _CONTAINERS:
        node |= {"DESCRIPTION": _CONTAINERS[path], "CONTENTS": {}}
    return node


def _method(request: type[Request[Any]]) -> Node:
    """A request: its id first, then an argument for each field (one for a field that repeats)."""
    specs = {"id": _REQUEST_ID} | {slot.name: slot.spec for slot in slots(request)}
    given = [pair for spec in specs.values() for pair in _example(spec)]
    arguments = "; ".join(f"{name}: {spec.doc}" for name, spec in specs.items())
    return {
        "TYPE": "".join(tag for tag, _ in given),
        "ACCESS": WRITE,
        "DESCRIPTION": f"{_prose(request)} Arguments: {arguments}.",
        **_ranges_and_units([_single(spec) for spec in specs.values()]),
    }


def _control(control: ControlNode) -> Node:
    spec = SETTABLE[control.field]
    return {
        "TYPE": _control_type(spec, control.value),
        "ACCESS": READ_WRITE,
        "VALUE": [control.value],
        "DESCRIPTION": f"{control.field} of {control.source}: {spec.doc} ({spec.allowed})",
        **_ranges_and_units([spec]),
    }


def _control_type(spec: Spec, value: Value) -> str:
    """The type that every controller knows; the engine takes wider ones too."""
    if isinstance(spec, Flag):
        return "T" if value else "F"
    if isinstance(spec, Int):
        return "i" if spec.high <= INT32_MAX else "h"
    return "f" if isinstance(spec, Real) else "s"


def _ranges_and_units(specs: list[Spec]) -> Node:
    """RANGE and UNIT, one entry for each argument; left out when no argument has one."""
    ranges = [_range(spec) for spec in specs]
    units = [_unit(spec) for spec in specs]
    node: Node = {"RANGE": ranges} if any(ranges) else {}
    return node | {"UNIT": units} if any(units) else node


def _range(spec: Spec) -> Node:
    if isinstance(spec, Int | Real):
        return {"MIN": 0 if isinstance(spec, ZeroOrInt) else spec.low, "MAX": spec.high}
    return {"VALS": list(spec.words)} if isinstance(spec, Choice) else {}


def _unit(spec: Spec) -> str:
    """The unit alone: what stands in brackets behind it is for people."""
    unit = spec.unit.partition("(")[0].strip() if isinstance(spec, Int | Real) else ""
    return UNITS.get(unit, unit)


def _single(spec: Spec) -> Spec:
    """What one of the values of a repeating field may be."""
    item: Spec = getattr(spec, "item", spec)
    return item


def _example(spec: Spec) -> list[Argument]:
    one = _single(spec)
    return one.arguments(one.check("value", one.example))


def _prose(message: type[Request[Any]]) -> str:
    text = (inspect.getdoc(message) or "").split(">>>", maxsplit=1)[0]
    return " ".join(text.split())
