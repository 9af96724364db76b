"""Effect chains as data: TOML in, frozen dataclasses out, every number checked.

A chain file::

    title = "Far"
    summary = "Twenty metres off: little air, more room than source."
    channels = "stereo"          # or "mono": how many channels leave the chain

    [[effects]]
    effect = "high_pass"
    cutoff_hz = 120.0

``EFFECTS`` is the whole vocabulary. A file can only name what stands there; it can never
name code. ``plugin_host.effects`` turns each name into a plugin by a table of its own.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from types import MappingProxyType
from typing import Final, Literal

MAX_CHAIN_BYTES: Final = 64 * 1024
MAX_EFFECTS: Final = 32
MAX_TEXT_CHARACTERS: Final = 200
CHANNELS: Final = ("mono", "stereo")


class PresetError(ValueError):
    """A preset cannot be used; the sentence names the file, the value, the range and the cure."""


@dataclass(frozen=True)
class Limits:
    """Allowed range of a parameter, both ends included, in ``unit``."""

    lowest: float
    highest: float
    unit: str
    default: float | None = None
    whole: bool = False

    def describe(self) -> str:
        """For example ``-60 to 12 dB``."""
        unit = f" {self.unit}" if self.unit else ""
        return f"{self.lowest:g} to {self.highest:g}{unit}"

    def admits(self, value: float) -> bool:
        """False for NaN and infinities too: they compare false."""
        inside = self.lowest <= value <= self.highest
        return inside and (not self.whole or float(value).is_integer())


_CUTOFF = Limits(10, 22_000, "Hz")
_ORDER = Limits(1, 8, "poles (6 dB per octave each)", 2, whole=True)
_EQ_GAIN = Limits(-40, 24, "dB")
_Q = Limits(0.1, 10, "", 0.707)
_LEVEL = Limits(-96, 12, "dB (-96 is off)")
_MIX = Limits(0, 1, "(0 dry to 1 wet)", 0.5)

EFFECTS: Final[Mapping[str, Mapping[str, Limits]]] = MappingProxyType(
    {
        "gain": {"gain_db": Limits(-96, 24, "dB")},
        "high_pass": {"cutoff_hz": _CUTOFF, "order": _ORDER},
        "low_pass": {"cutoff_hz": _CUTOFF, "order": _ORDER},
        "low_shelf": {"frequency_hz": _CUTOFF, "gain_db": _EQ_GAIN, "q": _Q},
        "high_shelf": {"frequency_hz": _CUTOFF, "gain_db": _EQ_GAIN, "q": _Q},
        "bell": {"frequency_hz": _CUTOFF, "gain_db": _EQ_GAIN, "q": _Q},
        "compressor": {
            "threshold_db": Limits(-80, 0, "dBFS"),
            "ratio": Limits(1, 50, "to 1"),
            "attack_ms": Limits(0.1, 500, "ms", 10),
            "release_ms": Limits(1, 5000, "ms", 120),
            "makeup_db": Limits(0, 24, "dB", 0),
        },
        "saturation": {"drive_db": Limits(0, 40, "dB")},
        "chorus": {
            "rate_hz": Limits(0.01, 20, "Hz"),
            "depth": Limits(0, 1, "", 0.25),
            "centre_delay_ms": Limits(1, 50, "ms", 7),
            "feedback": Limits(-0.9, 0.9, "", 0),
            "mix": _MIX,
        },
        "delay": {
            "time_ms": Limits(1, 2000, "ms"),
            "feedback": Limits(0, 0.9, "", 0),
            "mix": _MIX,
        },
        "pitch": {"semitones": Limits(-24, 24, "semitones")},
        "room": {
            "rt60_s": Limits(0.1, 8, "s"),
            "size_m": Limits(1, 100, "m", 8),
            "predelay_ms": Limits(0, 200, "ms", 0),
            "damping_hz": Limits(500, 20_000, "Hz", 5000),
            "early_db": Limits(-40, 20, "dB", 0),
            "wet_db": _LEVEL,
            "dry_db": Limits(-96, 12, "dB (-96 is off)", 0),
        },
    }
)


@dataclass(frozen=True)
class EffectPreset:
    """One effect with every parameter set (defaults filled in), all inside their limits."""

    effect: str
    values: Mapping[str, float]


@dataclass(frozen=True)
class ChainPreset:
    """An effect chain, first effect first; ``dry`` is the one without effects."""

    name: str
    title: str
    summary: str
    channels: Literal["mono", "stereo"]
    effects: tuple[EffectPreset, ...]


DRY: Final = ChainPreset("dry", "Dry", "As the model made it.", "mono", ())


def chain_names() -> list[str]:
    """Names of the chains inside the package, sorted."""
    folder = resources.files("presets") / "chains"
    return sorted(Path(entry.name).stem for entry in folder.iterdir() if _is_toml(entry.name))


def builtin_chain(name: str) -> ChainPreset:
    """One of ``chain_names()``, ``""`` being ``dry``; never a path. PresetError otherwise."""
    wanted = name or DRY.name
    if wanted not in chain_names():
        raise PresetError(
            f"chain {_shown(name)} is unknown; choose one of {', '.join(chain_names())}, "
            "or give the path of a .toml file"
        )
    entry = resources.files("presets") / "chains" / f"{wanted}.toml"
    return parse_chain(entry.read_text(encoding="utf-8"), wanted, f"{wanted}.toml")


def load_chain(name_or_path: str | Path) -> ChainPreset:
    """A chain by name, or from a file the user names (anything with a ``.toml`` ending)."""
    if isinstance(name_or_path, str) and not _is_toml(name_or_path):
        return builtin_chain(name_or_path)
    path = Path(name_or_path)
    return parse_chain(_read_small_text(path), path.stem, path.name)


def parse_chain(text: str, name: str, where: str) -> ChainPreset:
    """Check the TOML ``text``; ``where`` is the file name that errors mention."""
    try:
        table = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError, ValueError) as error:
        raise PresetError(f"{where}: not valid TOML ({error}); correct that line") from error
    _check_keys(table, {"title", "summary", "channels", "effects"}, where)
    return ChainPreset(
        name=name,
        title=_text(table, "title", where, default=name),
        summary=_text(table, "summary", where, default=""),
        channels=_channels(table, where),
        effects=_effects(table.get("effects", []), where),
    )


def _is_toml(name: str) -> bool:
    return name.lower().endswith(".toml")


def _read_small_text(path: Path) -> str:
    try:
        if not path.is_file():
            raise PresetError(f"chain file {_shown(path)} does not exist; check the path")
        with path.open("rb") as file:
            data = file.read(MAX_CHAIN_BYTES + 1)
    except (OSError, ValueError) as error:
        if isinstance(error, PresetError):
            raise
        raise PresetError(f"chain file {_shown(path)} cannot be read ({error})") from error
    if len(data) > MAX_CHAIN_BYTES:
        raise PresetError(
            f"{path.name}: larger than {MAX_CHAIN_BYTES // 1024} KiB; "
            "a chain has a few hundred bytes, choose the right file"
        )
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise PresetError(f"{path.name}: not UTF-8 text; save it as UTF-8") from error


def _effects(value: object, where: str) -> tuple[EffectPreset, ...]:
    if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
        raise PresetError(f"{where}: effects must be [[effects]] tables")
    if len(value) > MAX_EFFECTS:
        raise PresetError(
            f"{where}: {len(value)} effects, 0 to {MAX_EFFECTS} are allowed; remove some"
        )
    return tuple(_effect(item, f"{where}: effect {i}") for i, item in enumerate(value, start=1))


def _effect(table: dict[str, object], where: str) -> EffectPreset:
    name = table.get("effect")
    if not isinstance(name, str) or name not in EFFECTS:
        raise PresetError(f"{where}: effect {_shown(name)} is not one of {', '.join(EFFECTS)}")
    limits = EFFECTS[name]
    where = f"{where} ({name})"
    _check_keys(table, {"effect", *limits}, where)
    values = {key: _number(table, key, limit, where) for key, limit in limits.items()}
    return EffectPreset(name, MappingProxyType(values))


def _number(table: dict[str, object], key: str, limit: Limits, where: str) -> float:
    value = table.get(key, limit.default)
    if value is None:
        raise PresetError(f"{where}: {key} is missing; give {limit.describe()}")
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise PresetError(
            f"{where}: {key} = {_shown(value)} is not a number; give {limit.describe()}"
        )
    if not limit.admits(value):
        whole = "a whole number, " if limit.whole else ""
        raise PresetError(
            f"{where}: {key} = {_shown(value)} is outside its range; give {whole}{limit.describe()}"
        )
    return float(value)


def _text(table: dict[str, object], key: str, where: str, default: str) -> str:
    value = table.get(key, default)
    if not isinstance(value, str) or len(value) > MAX_TEXT_CHARACTERS:
        raise PresetError(
            f"{where}: {key} must be text of 0 to {MAX_TEXT_CHARACTERS} characters; shorten it"
        )
    return value


def _channels(table: dict[str, object], where: str) -> Literal["mono", "stereo"]:
    value = table.get("channels", "mono")
    if value not in CHANNELS:
        raise PresetError(f'{where}: channels = {_shown(value)}; give "mono" or "stereo"')
    return "mono" if value == "mono" else "stereo"


def _check_keys(table: dict[str, object], allowed: set[str], where: str) -> None:
    unknown = sorted(set(table) - allowed)
    if unknown:
        shown = ", ".join(_shown(key) for key in unknown[:5])
        raise PresetError(f"{where}: unknown {shown}; allowed are {', '.join(sorted(allowed))}")


def _shown(value: object) -> str:
    """The value for a sentence: escaped, and short even when the file is hostile."""
    try:
        text = repr(str(value)) if isinstance(value, str | Path) else repr(value)
    except ValueError:  # an integer of more than 4300 digits
        return "a huge number"
    return text if len(text) <= 60 else f"{text[:57]}..."
