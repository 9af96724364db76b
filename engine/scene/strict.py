"""Dataclasses from untrusted JSON: every key known, every type checked, nothing else accepted."""

from __future__ import annotations

import functools
import json
import reprlib
import types
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from osc_bridge.errors import BadSession

T = TypeVar("T")

MAX_ITEMS = 20_000
"""The longest list inside a dataclass; a scene's own limits are lower, and checked later."""


def _no_constant(name: str) -> float:
    raise ValueError(f"{name} is not a number")


_decoder = json.JSONDecoder(parse_constant=_no_constant)
_encoder = json.JSONEncoder(
    ensure_ascii=False, allow_nan=False, check_circular=False, separators=(",", ":"), default=vars
)


def to_json(value: Any) -> str:
    """Return dataclasses, dicts, lists and plain values as one line of JSON."""
    return _encoder.encode(value)


def parse(text: str | bytes) -> Any:
    """Return what the JSON says, or raise BadSession; NaN and Infinity are refused."""
    try:
        return _decoder.decode(text if isinstance(text, str) else text.decode())
    except (ValueError, RecursionError) as error:
        raise BadSession(f"It is not valid JSON ({str(error)[:80]}).") from error


def build(kind: type[T], data: Any, where: str) -> T:
    """Return ``kind(**data)`` after checking every key and every type, recursively."""
    hints: Mapping[str, Any] = _hints(kind)  # type: ignore[arg-type]
    if not isinstance(data, dict) or data.keys() != hints.keys():
        found = sorted(data) if isinstance(data, dict) else type(data).__name__
        raise BadSession(f"{where} has {reprlib.repr(found)}; expected {sorted(hints)}.")
    return kind(**{name: value_of(hint, data[name], name) for name, hint in hints.items()})


def value_of(kind: Any, value: Any, where: str) -> Any:
    """Return ``value`` as the annotation ``kind`` says, or raise BadSession."""
    if kind is type(value):
        return value
    if kind is float and type(value) is int:
        return _float(value, where)
    if is_dataclass(kind) and isinstance(kind, type):
        return build(kind, value, where)
    origin, args = get_origin(kind), get_args(kind)
    if origin is Literal and isinstance(value, str) and value in args:
        return value
    if origin is tuple and isinstance(value, list):
        return _tuple(args, value, where)
    if origin in (Union, types.UnionType):
        return _union(args, value, where)
    raise BadSession(f"{where} is {reprlib.repr(value)}; expected {kind}.")


@functools.cache
def _hints(kind: Any) -> Mapping[str, Any]:
    hints = get_type_hints(kind)
    return {field.name: hints[field.name] for field in fields(kind)}


def _tuple(args: tuple[Any, ...], values: list[Any], where: str) -> tuple[Any, ...]:
    if len(values) > MAX_ITEMS:
        raise BadSession(f"{where} has {len(values)} entries; allowed are 0 to {MAX_ITEMS}.")
    if len(args) == 2 and args[1] is Ellipsis:
        return tuple(value_of(args[0], value, where) for value in values)
    if len(args) != len(values):
        raise BadSession(f"{where} has {len(values)} values, not {len(args)}.")
    return tuple(value_of(kind, value, where) for kind, value in zip(args, values, strict=True))


def _union(args: tuple[Any, ...], value: Any, where: str) -> Any:
    if value is None and type(None) in args:
        return None
    for kind in args:
        if kind is type(value) or (get_origin(kind) is tuple and isinstance(value, list)):
            return value_of(kind, value, where)
        if is_dataclass(kind) and isinstance(value, dict):
            return value_of(kind, value, where)
    raise BadSession(f"{where} is {reprlib.repr(value)}; expected {args}.")


def _float(value: int, where: str) -> float:
    try:
        return float(value)
    except OverflowError as error:
        raise BadSession(f"{where} is a number of too many digits.") from error
