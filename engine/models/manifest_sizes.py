"""The sizes of networks that a manifest gives: only numbers that a network can have."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, TypeVar

from engine.models.pack import PackManifest
from engine.perception.audio import AudioNetSettings
from engine.synthesis.codec import CodecSettings
from engine.synthesis.dit import DiTSettings
from engine.synthesis.vocos import VocosSettings
from osc_bridge.errors import PackCorrupt

Settings = TypeVar("Settings", AudioNetSettings, CodecSettings, DiTSettings, VocosSettings)


@dataclass(frozen=True)
class Limit:
    """The highest number allowed (the lowest is 1, or above 0 for what is no count)."""

    high: int = 8192
    multiple: int = 1


_LIMITS: Mapping[str, Limit] = {
    "layers": Limit(64),
    "heads": Limit(256),
    "expansion": Limit(64),
    "patch": Limit(64, multiple=2),
    "widths": Limit(8192, multiple=8),
}
_MAX_WIDTHS = 6
"""Each halves the mels, and one band must be left."""


def role_settings(
    kind: type[Settings], folder: Path, manifest: PackManifest, role: str
) -> Settings:
    """Return the sizes of one network; PackCorrupt names what no network of ours has."""
    try:
        return _settings(kind, manifest.sizes.get(role, {}))
    except TypeError as error:
        raise PackCorrupt(
            f"{folder}: the sizes of {role!r} are wrong ({error}); fetch the pack again."
        ) from error


def _settings(kind: type[Settings], given: object) -> Settings:
    if not isinstance(given, Mapping):
        raise TypeError("not an object")
    known = {field.name: field.default for field in fields(kind)}
    settings = kind(**{name: _checked(name, value, known) for name, value in given.items()})
    _check_heads(settings)
    return settings


def _checked(name: str, value: object, known: Mapping[str, Any]) -> Any:
    """Return one size as its field wants it; TypeError for anything else."""
    if name not in known:
        raise TypeError(f"{name[:40]!r} is none of {', '.join(known)}")
    if isinstance(known[name], tuple):
        return _widths(name, value)
    if isinstance(known[name], int):
        return _count(name, value)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(f"{name} is no number")
    if not (math.isfinite(value) and 0 < value <= 8192):
        raise TypeError(f"{name} = {value:g}, allowed are numbers above 0 up to 8192")
    return float(value)


def _widths(name: str, value: object) -> tuple[int, ...]:
    if not isinstance(value, list) or not 1 <= len(value) <= _MAX_WIDTHS:
        raise TypeError(f"{name} must be a list of 1 to {_MAX_WIDTHS} numbers")
    return tuple(_count(name, item) for item in value)


def _count(name: str, value: object) -> int:
    limit = _LIMITS.get(name, Limit())
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= limit.high:
        raise TypeError(f"{name} = {str(value)[:40]}, allowed are whole numbers 1 to {limit.high}")
    if value % limit.multiple:
        raise TypeError(f"{name} = {value}, allowed are multiples of {limit.multiple}")
    return value


def _check_heads(settings: object) -> None:
    """Each head needs an even number of numbers: its positions are rotations in a plane."""
    if isinstance(settings, DiTSettings) and settings.width % (2 * settings.heads):
        raise TypeError(
            f"width = {settings.width}, allowed are multiples of twice the {settings.heads} heads"
        )
    if isinstance(settings, DiTSettings) and settings.layers % 2:
        raise TypeError(f"layers = {settings.layers}, allowed are even numbers")
