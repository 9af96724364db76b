"""Strict TOML: every key known, every value of its type and in its range."""

from __future__ import annotations

import dataclasses
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar, cast, get_args, get_origin, get_type_hints

from engine.training.within import Within
from osc_bridge.errors import BadPreset, FileMissing

MAX_FILE_BYTES = 100_000

_Table = TypeVar("_Table")


def read_toml(path: Path) -> dict[str, Any]:
    """Return the tables of a configuration; FileMissing, BadPreset if it is none."""
    if not path.is_file():
        raise FileMissing(f"There is no configuration {path}; leave out --config for the usual.")
    if path.stat().st_size > MAX_FILE_BYTES:
        raise BadPreset(f"{path} has more than {MAX_FILE_BYTES} bytes; a configuration is a page.")
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (UnicodeDecodeError, tomllib.TOMLDecodeError, RecursionError) as error:
        raise BadPreset(f"{path} is no TOML: {error}; correct it.") from error


def checked(kind: type[_Table], given: Mapping[str, Any], where: str) -> _Table:
    """Return a dataclass of ``kind`` with these values; BadPreset names what does not fit."""
    types = get_type_hints(kind, include_extras=True)
    unknown, missing = sorted(given.keys() - types.keys()), sorted(types.keys() - given.keys())
    if unknown or missing:
        raise BadPreset(
            f"{where}: unknown keys {[key[:80] for key in unknown]}, missing keys {missing}; "
            f"allowed are {sorted(types)}."
        )
    values = {name: _value(each, given[name], f"{where}: {name}") for name, each in types.items()}
    return kind(**values)


def _value(kind: Any, value: Any, where: str) -> Any:
    if dataclasses.is_dataclass(kind):
        if not isinstance(value, dict):
            raise BadPreset(f"{where} must be a table.")
        return checked(cast("type[Any]", kind), value, where)
    if get_origin(kind) is Literal:
        if value not in get_args(kind):
            allowed = ", ".join(get_args(kind))
            raise BadPreset(f"{where} is {str(value)[:80]!r}; allowed are {allowed}.")
        return value
    if get_origin(kind) is Annotated:
        number, bounds = get_args(kind)
        return _number(number, bounds, value, where)
    return _typed(kind, value, where)


def _number(kind: type, bounds: Within, value: Any, where: str) -> Any:
    if kind is float and type(value) is int:
        value = float(value)
    _typed(kind, value, where)
    if not bounds.low <= value <= bounds.high:
        raise BadPreset(
            f"{where} is {value}; allowed are numbers from {bounds.low:g} to {bounds.high:g}."
        )
    return value


def _typed(kind: type, value: Any, where: str) -> Any:
    if type(value) is not kind:
        raise BadPreset(f"{where} is {str(value)[:80]!r}; it must be {_NAMES[kind]}.")
    return value


_NAMES = {int: "a whole number", float: "a number", bool: "true or false", str: "text in quotes"}
