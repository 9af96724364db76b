"""Typed fields out of untrusted JSON: each checked, each error naming field, value and range."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, NoReturn

from osc_bridge.errors import BadSession, FileMissing

MAX_JSON_BYTES: Final = 4 * 1024 * 1024
MAX_TIMING_S: Final = 1e9


class Fields:
    """One JSON object; ``where`` names it in errors (``take.json: sources 2``)."""

    def __init__(self, values: object, where: str) -> None:
        if not isinstance(values, dict):
            raise BadSession(f"{where} must be a JSON object; render the take again")
        self._values: Mapping[str, Any] = values
        self.where = where

    def text(self, name: str, longest: int, default: str | None = None) -> str:
        value: Any = self._values.get(name, default)
        if value is None and default is not None:
            value = default
        if not isinstance(value, str) or len(value) > longest:
            self._refuse(name, value, f"text of 0 to {longest} characters")
        if not _is_unicode(value):
            self._refuse(name, value, "text without lone surrogates")
        return value

    def word(self, name: str, longest: int) -> str:
        """A name that may be part of a file name."""
        value: Any = self._values.get(name)
        if not isinstance(value, str) or not re.fullmatch(rf"[A-Za-z0-9-]{{1,{longest}}}", value):
            self._refuse(name, value, f"1 to {longest} letters, digits and hyphens")
        return str(value)

    def number(self, name: str, lowest: float, highest: float, unit: str = "") -> float:
        value: Any = self._values.get(name)
        known = isinstance(value, int | float) and not isinstance(value, bool)
        if not known or not lowest <= value <= highest:
            self._refuse(name, value, f"{lowest:g} to {highest:g} {unit}".strip())
        return float(value)

    def whole(self, name: str, lowest: int, highest: int, unit: str = "") -> int:
        value: Any = self._values.get(name)
        known = isinstance(value, int) and not isinstance(value, bool)
        if not known or not lowest <= value <= highest:
            self._refuse(name, value, f"a whole number from {lowest} to {highest} {unit}".strip())
        return int(value)

    def flag(self, name: str) -> bool:
        value = self._values.get(name, False)
        if not isinstance(value, bool):
            self._refuse(name, value, "true or false")
        return bool(value)

    def choice(self, name: str, allowed: tuple[str, ...]) -> str:
        value: Any = self._values.get(name)
        if not isinstance(value, str) or value not in allowed:
            self._refuse(name, value, " or ".join(allowed))
        return str(value)

    def table(self, name: str) -> Fields:
        return Fields(self._values.get(name), f"{self.where}: {name}")

    def tables(self, name: str, most: int) -> list[Fields]:
        value: Any = self._values.get(name)
        if not isinstance(value, list) or len(value) > most:
            self._refuse(name, value, f"a list of 0 to {most}")
        return [Fields(item, f"{self.where}: {name} {i}") for i, item in enumerate(value, 1)]

    def box(self, name: str) -> tuple[int, int, int, int] | None:
        value: Any = self._values.get(name)
        if value is None:
            return None
        good = isinstance(value, list) and len(value) == 4
        if not good or not all(isinstance(v, int) and 0 <= v <= 100_000 for v in value):
            self._refuse(name, value, "null or four pixel positions from 0 to 100000")
        return (value[0], value[1], value[2], value[3])

    def seconds(self, name: str) -> dict[str, float]:
        """A flat table of at most 32 durations."""
        value: Any = self._values.get(name, {})
        good = isinstance(value, dict) and len(value) <= 32
        if not good or not all(len(key) <= 40 and _is_unicode(key) for key in value):
            self._refuse(name, value, "a table of 0 to 32 short names with seconds")
        table = Fields(value, f"{self.where}: {name}")
        return {key: table.number(key, 0, MAX_TIMING_S, "s") for key in value}

    def _refuse(self, name: str, value: object, allowed: str) -> NoReturn:
        raise BadSession(
            f"{self.where}: {name} = {_shown(value)}, allowed is {allowed}; render the take again"
        )


def read_json(path: Path) -> Fields:
    """The JSON object of a file of at most 4 MiB; FileMissing or BadSession otherwise."""
    try:
        with path.open("rb") as file:
            data = file.read(MAX_JSON_BYTES + 1)
    except (OSError, ValueError) as error:
        raise FileMissing(f"{path.name} cannot be read ({error}); check the path") from error
    if len(data) > MAX_JSON_BYTES:
        raise BadSession(f"{path.name} is larger than 4 MiB; it is not what a render wrote")
    try:
        return Fields(json.loads(data, parse_constant=_no_constant), path.name)
    except (ValueError, RecursionError) as error:
        raise BadSession(f"{path.name} is not valid JSON ({error}); render again") from error


def _is_unicode(text: str) -> bool:
    return not any("\ud800" <= character <= "\udfff" for character in text)


def _no_constant(name: str) -> float:
    raise ValueError(f"{name} is not JSON")


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
