"""The published ``ssv2a.json`` as frozen dataclasses, checked when they are made.

Field names are the file's own. Only what the published weights use is supported; every other
value of ``arch``, ``guidance``, ``variational`` or ``disabled`` is refused by name.
"""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, TypeVar

from osc_bridge.errors import BadCheckpoint, FileMissing

MAX_WIDTH = 65_536
MAX_LAYERS = 64
MAX_FILE_BYTES = 1_000_000
OPTIONAL_KEYS = frozenset({"exp_rate", "checkpoints", "classes", "audioldm_version", "detector"})
"""May be absent from a file: the published code has a default, or these modules never read them."""

_Part = TypeVar("_Part")


@dataclass(frozen=True)
class TowerConfig:
    """An MLP tower. ``layers`` are widths; ``kl_weight`` is lambda_1 of Eq. 5."""

    layers: tuple[int, ...]
    dropout: float = 0.2
    resnet: bool = True
    kl_weight: float = 0.0005
    variational: Literal[True] = True
    arch: Literal["mlp"] = "mlp"

    def __post_init__(self) -> None:
        _only("arch", self.arch, "mlp")
        _only("variational", self.variational, True)
        _widths("layers", self.layers)
        _number("dropout", self.dropout, 0.0, 1.0, below=True)
        _only_bool("resnet", self.resnet)
        _number("kl_weight", self.kl_weight, 0.0, math.inf)


@dataclass(frozen=True)
class ManifoldConfig(TowerConfig):
    """Projectors v and phi; ``cr_weight`` is alpha of the contrastive mask (Eq. 7)."""

    cr_weight: float = 0.35

    def __post_init__(self) -> None:
        super().__post_init__()
        _number("cr_weight", self.cr_weight, 0.0, math.inf)


@dataclass(frozen=True)
class GeneratorConfig(TowerConfig):
    """Reconstructor chi."""

    disabled: Literal[False] = False

    def __post_init__(self) -> None:
        super().__post_init__()
        _only("disabled", self.disabled, False)


@dataclass(frozen=True)
class StylerConfig:
    """The Remixer's attention: ``embed_dim`` wide, feed-forward ``exp_rate`` times as wide."""

    embed_dim: int
    num_layers: int = 1
    nhead: int = 8
    dropout: float = 0.2
    exp_rate: int = 1
    kl_weight: float = 0.0005
    variational: Literal[True] = True
    arch: Literal["transformer"] = "transformer"

    def __post_init__(self) -> None:
        _only("arch", self.arch, "transformer")
        _only("variational", self.variational, True)
        _whole("embed_dim", self.embed_dim, 1, MAX_WIDTH)
        _whole("num_layers", self.num_layers, 1, MAX_LAYERS)
        _whole("nhead", self.nhead, 1, self.embed_dim)
        _whole("exp_rate", self.exp_rate, 1, 64)
        _number("dropout", self.dropout, 0.0, 1.0, below=True)
        _number("kl_weight", self.kl_weight, 0.0, math.inf)
        if self.embed_dim % self.nhead:
            raise _bad("nhead", self.nhead, f"a divisor of embed_dim = {self.embed_dim}")

    @property
    def hidden_dim(self) -> int:
        """Width of the feed-forward block."""
        return self.embed_dim * self.exp_rate


@dataclass(frozen=True)
class RemixerConfig:
    """``slot`` tokens, padding included; ``cfg`` is the token dropout in training."""

    styler: StylerConfig
    slot: int = 64
    cfg: float = 0.2
    guidance: Literal["manifold"] = "manifold"

    def __post_init__(self) -> None:
        _only("guidance", self.guidance, "manifold")
        _whole("slot", self.slot, 2, 4096)
        _number("cfg", self.cfg, 0.0, 1.0)


@dataclass(frozen=True)
class SSV2AConfig:
    """Everything that shapes the modules, and what the published file says besides.

    ``checkpoints``, ``classes``, ``audioldm_version`` and ``detector`` are carried along
    unread: perception and synthesis have their own places.
    """

    clip_dim: int
    clap_dim: int
    manifold_dim: int
    manifold: ManifoldConfig
    generator: GeneratorConfig
    remixer: RemixerConfig
    checkpoints: str = "checkpoints"
    classes: str = ""
    audioldm_version: str = ""
    detector: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name in ("clip_dim", "clap_dim", "manifold_dim"):
            _whole(name, getattr(self, name), 1, MAX_WIDTH)
        if not isinstance(self.detector, Mapping):
            raise _bad("detector", self.detector, "an object")

    def to_json(self) -> str:
        """The published layout; ``from_mapping(json.loads(...))`` gives an equal config."""
        return json.dumps(dataclasses.asdict(self), indent=2) + "\n"

    @classmethod
    def from_mapping(cls, data: object) -> SSV2AConfig:
        """From parsed JSON; BadCheckpoint lists every key that is missing or unknown."""
        top = dict(_object("ssv2a.json", data))
        if "remixer" in top:
            remixer = dict(_object("remixer", top["remixer"]))
            _convert(remixer, "styler", "remixer.styler", StylerConfig)
            top["remixer"] = remixer
        for name, kind in _PARTS.items():
            _convert(top, name, name, kind)
        return _part(cls, "ssv2a.json", top)

    @classmethod
    def from_file(cls, path: Path) -> SSV2AConfig:
        """From ``ssv2a.json``: FileMissing or BadCheckpoint name the file and the cure."""
        try:
            if path.stat().st_size > MAX_FILE_BYTES:
                raise BadCheckpoint(
                    f"{path} is larger than {MAX_FILE_BYTES} bytes; a configuration is a page "
                    "of JSON: get the file again."
                )
            data = json.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError as error:
            raise FileMissing(
                f"{path} is missing; a pack needs it beside its weights: get the pack again."
            ) from error
        except (OSError, ValueError, RecursionError) as error:
            raise BadCheckpoint(
                f"{path} cannot be read as JSON ({error}): get the file again."
            ) from error
        return cls.from_mapping(data)


_PARTS: Mapping[str, type] = {
    "manifold": ManifoldConfig,
    "generator": GeneratorConfig,
    "remixer": RemixerConfig,
}


def _convert(data: dict[str, Any], key: str, where: str, kind: type) -> None:
    """Replace the object under ``key`` by its dataclass, if it is there at all."""
    if key in data:
        data[key] = _part(kind, where, data[key])


def _part(kind: type[_Part], where: str, data: object) -> _Part:
    """Make one dataclass from an object with exactly its keys."""
    values = dict(_object(where, data))
    names = {f.name for f in dataclasses.fields(kind)}  # type: ignore[arg-type]
    missing = sorted(names - OPTIONAL_KEYS - values.keys())
    unknown = sorted(str(key)[:80] for key in values.keys() - names)
    if missing or unknown:
        raise BadCheckpoint(
            f"{where}: missing keys {missing}, unknown keys {unknown}; allowed are "
            f"{sorted(names)}: use the ssv2a.json that came with the weights."
        )
    if isinstance(values.get("layers"), list):
        values["layers"] = tuple(values["layers"])
    return kind(**values)


def _object(where: str, data: object) -> Mapping[str, Any]:
    if not isinstance(data, Mapping):
        raise _bad(where, data, "a JSON object")
    return data


def _bad(name: str, value: object, allowed: str) -> BadCheckpoint:
    return BadCheckpoint(
        f"{name} = {str(value)[:80]!r} is not supported; allowed is {allowed}: "
        "use weights of the published SSV2A design with their own ssv2a.json."
    )


def _only(name: str, value: object, allowed: object) -> None:
    if type(value) is not type(allowed) or value != allowed:
        raise _bad(name, value, repr(allowed))


def _only_bool(name: str, value: object) -> None:
    if not isinstance(value, bool):
        raise _bad(name, value, "true or false")


def _whole(name: str, value: object, low: int, high: int) -> None:
    if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
        raise _bad(name, value, f"a whole number from {low} to {high}")


def _number(name: str, value: object, low: float, high: float, below: bool = False) -> None:
    fits = isinstance(value, (int, float)) and not isinstance(value, bool)
    if not fits or not low <= float(value) <= high or (below and value == high):  # type: ignore[arg-type]
        raise _bad(name, value, f"a number from {low} {'below' if below else 'to'} {high}")


def _widths(name: str, value: object) -> None:
    if not isinstance(value, tuple) or not 1 <= len(value) <= MAX_LAYERS:
        raise _bad(name, value, f"a list of 1 to {MAX_LAYERS} widths")
    for i, width in enumerate(value):
        _whole(f"{name}[{i}]", width, 1, MAX_WIDTH)
