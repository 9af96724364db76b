"""Control addresses: one fader, one address, ``/wildtrack/control/<scene>/<source>/<field>``.

A controller sends the bare value, without a request id; nothing answers but a fail with the id 0.
The same address goes back to subscribers, so that faders and screens follow. Controllers know
few types: whole floats are taken where an integer or a flag is due, and what goes back is
``f``, ``i``, ``T``, ``F`` or ``s`` (``h`` where the range goes beyond 32 bits, as for seeds).
"""

from __future__ import annotations

from osc_bridge.errors import BadArguments, UnknownAddress, WildtrackError
from osc_bridge.events import REQUEST_ADDRESS
from osc_bridge.fields import INT32_MAX, Argument, Flag, Int, Value, shown
from osc_bridge.message import ROOT
from osc_bridge.schema import SETTABLE, SetSource
from osc_bridge.texts import cut_to_bytes
from osc_bridge.wire import Incoming, encode, read_head, read_values

CONTROL = ROOT + "/control/"
_PREFIX = CONTROL.encode()
_TEXT_MAX_BYTES = 800
"""Most of a text that goes back, so that it fits a datagram."""


def is_control(message: bytes) -> bool:
    """Whether the message has a control address."""
    return message.startswith(_PREFIX)


def read_control(message: bytes) -> Incoming:
    """The setting that a control message asks for, or what is wrong with it; its id is 0."""
    address = ""
    try:
        head = read_head(message)
        address = head.address[: REQUEST_ADDRESS.high] if head.address.isprintable() else ""
        return Incoming(0, address, _setting(head.address, read_values(message, head)))
    except WildtrackError as error:
        return Incoming(0, address, error)


def encode_value(scene: str, source: str, field: str, value: Value) -> bytes:
    """The control message that tells a subscriber the value of a setting."""
    return encode(f"{CONTROL}{scene}/{source}/{field}", [_argument(field, value)])


def _setting(address: str, values: list[Value]) -> SetSource:
    parts = address.removeprefix(CONTROL).split("/")
    if len(parts) != 3:
        raise UnknownAddress(
            f"The address {shown(address)} is unknown: {CONTROL}SCENE/SOURCE/FIELD is allowed; "
            "name a scene, a source and a field, such as gain_db."
        )
    if len(values) != 1:
        raise BadArguments(
            f"{shown(address)} has {len(values)} arguments: 1 is allowed, the value without a "
            "request id; send just this."
        )
    scene, source, field = parts
    return SetSource(scene, source, field, _fitting(field, values[0]))


def _fitting(field: str, value: Value) -> Value:
    """The value, as an integer if it is a whole float where an integer or a flag is due."""
    if isinstance(value, float) and isinstance(SETTABLE.get(field), Int | Flag):
        return int(value) if value.is_integer() else value
    return value


def _argument(field: str, value: Value) -> Argument:
    if isinstance(value, bool):
        return ("T" if value else "F", value)
    if isinstance(value, int):
        spec = SETTABLE[field]
        return ("i" if isinstance(spec, Int) and spec.high <= INT32_MAX else "h", value)
    if isinstance(value, float):
        return ("f", value)
    return ("s", cut_to_bytes(value, _TEXT_MAX_BYTES))
