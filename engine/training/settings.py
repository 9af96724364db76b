"""The configuration of a stage: TOML, every key known, every value in its range.

``presets/training/STAGE.toml`` in the install holds every key; a file of the user's own gives only
what should differ.
"""

from __future__ import annotations

import dataclasses
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import (
    Annotated,
    Any,
    Final,
    Literal,
    TypeVar,
    cast,
    get_args,
    get_origin,
    get_type_hints,
)

import presets
from engine.training.loop import Schedule, Watch
from engine.training.within import Within
from engine.training.world import Parallel, Precision
from osc_bridge.errors import BadPreset, FileMissing

StageName = Literal["manifold", "audio2clip", "remixer", "aggregator"]
STAGE_NAMES: Final[tuple[StageName, ...]] = get_args(StageName)
MAX_FILE_BYTES = 100_000
Size = Literal["tiny", "starter", "paper"]

_Table = TypeVar("_Table")


@dataclass(frozen=True)
class ScheduleTable:
    """How long and how fast a stage learns; ``batch`` is that of all processes together."""

    steps: Annotated[int, Within(1, 100_000_000)]
    batch: Annotated[int, Within(1, 65_536)]
    learning_rate: Annotated[float, Within(1e-7, 1.0)]
    weight_decay: Annotated[float, Within(0.0, 1.0)]
    warmup: Annotated[int, Within(1, 1_000_000)]
    decay: Annotated[float, Within(0.0, 1.0)]
    ema: Annotated[float, Within(0.0, 0.99999)]
    clip_norm: Annotated[float, Within(0.001, 1000.0)]
    validate_every: Annotated[int, Within(1, 1_000_000)]
    patience: Annotated[int, Within(0, 10_000)]

    @property
    def schedule(self) -> Schedule:
        """Return what the loop goes by."""
        return Schedule(self.steps, self.warmup, self.decay, self.ema, self.clip_norm)

    @property
    def watch(self) -> Watch:
        """Return when the loop validates and when it gives up."""
        return Watch(self.validate_every, self.patience)


@dataclass(frozen=True)
class RunTable:
    """What all stages share.

    ``published`` learns only from sounds whose licence lets them shape weights that are published.
    ``held_out`` is the share of the train split that validates instead. ``balance`` 0 draws every
    sound once an epoch, 1 all classes equally often. ``parallel`` counts where torchrun starts
    several processes.
    """

    seed: Annotated[int, Within(0, 2**31)]
    device: str
    precision: Precision
    parallel: Parallel
    tensorboard: bool
    published: bool
    held_out: Annotated[float, Within(0.001, 0.5)]
    balance: Annotated[float, Within(0.0, 1.0)]


@dataclass(frozen=True)
class ModelTable:
    """Size of the networks; ``alpha`` bends the contrastive mask (Eq. 7)."""

    size: Size
    alpha: Annotated[float, Within(0.0, 10.0)]
    kl: Annotated[float, Within(0.0, 10.0)]


@dataclass(frozen=True)
class ManifoldTable:
    """Weights of L_fold (Eq. 5) and of the mean teacher (A.2.1).

    ``reconstruction`` multiplies L_r, ``consistency`` the distance from the teacher's embeddings;
    ``noise`` is the length of what is added to the student's unit vectors. ``teacher_steps`` 0
    trains without a teacher on clean pairs, and discards nothing.
    """

    reconstruction: Annotated[float, Within(0.0, 100.0)]
    consistency: Annotated[float, Within(0.0, 100.0)]
    noise: Annotated[float, Within(0.0, 2.0)]
    teacher_steps: Annotated[int, Within(0, 10_000_000)]
    words: bool


@dataclass(frozen=True)
class TranslatorTable:
    """audio2clip: its width, and the weight of the contrastive part of its loss."""

    width: Annotated[int, Within(8, 16_384)]
    contrast: Annotated[float, Within(0.0, 100.0)]
    noise: Annotated[float, Within(0.0, 2.0)]


@dataclass(frozen=True)
class SceneTable:
    """Which scenes the Remixer learns from, as parts of a batch; what the data lacks is left out.

    ``real``: frames with detected things. ``composed``: sounds added up. ``pasted``: the same with
    pictures: cut-outs on backgrounds, of ``--corpus``; so many are made once. ``most`` sources at
    most; ``heard`` is the share of those that come as sound. ``kl`` is lambda_2 of Eq. 9.
    ``pack`` and ``audio_encoder`` are those of ``wildtrack train data``.
    """

    real: Annotated[float, Within(0.0, 1.0)]
    composed: Annotated[float, Within(0.0, 1.0)]
    pasted: Annotated[float, Within(0.0, 1.0)]
    pasted_scenes: Annotated[int, Within(1, 1_000_000)]
    most: Annotated[int, Within(1, 64)]
    heard: Annotated[float, Within(0.0, 1.0)]
    noise: Annotated[float, Within(0.0, 2.0)]
    kl: Annotated[float, Within(0.0, 10.0)]
    pack: str
    audio_encoder: str


@dataclass(frozen=True)
class VideoTable:
    """Which videos Temporal Aggregation learns from: ``real`` ones, and ``composed`` timelines."""

    real: Annotated[float, Within(0.0, 1.0)]
    composed: Annotated[float, Within(0.0, 1.0)]
    most: Annotated[int, Within(1, 8)]
    seconds: Annotated[float, Within(1.0, 60.0)]
    noise: Annotated[float, Within(0.0, 2.0)]
    kl: Annotated[float, Within(0.0, 10.0)]
    pack: str
    audio_encoder: str


@dataclass(frozen=True)
class ManifoldSettings:
    run: RunTable
    schedule: ScheduleTable
    model: ModelTable
    manifold: ManifoldTable


@dataclass(frozen=True)
class TranslatorSettings:
    run: RunTable
    schedule: ScheduleTable
    audio2clip: TranslatorTable


@dataclass(frozen=True)
class RemixerSettings:
    run: RunTable
    schedule: ScheduleTable
    scenes: SceneTable


@dataclass(frozen=True)
class AggregatorSettings:
    run: RunTable
    schedule: ScheduleTable
    videos: VideoTable


Settings = ManifoldSettings | TranslatorSettings | RemixerSettings | AggregatorSettings
_KINDS: Final[Mapping[StageName, type[Any]]] = {
    "manifold": ManifoldSettings,
    "audio2clip": TranslatorSettings,
    "remixer": RemixerSettings,
    "aggregator": AggregatorSettings,
}


def load_settings(stage: StageName, path: Path | None = None) -> Settings:
    """Return the shipped settings of a stage with those of ``path`` on top.

    FileMissing, or BadPreset for a key that is unknown or a value outside its range.
    """
    shipped = Path(presets.__file__).parent / "training" / f"{stage}.toml"
    tables = _read(shipped)
    if path is not None:
        for name, values in _read(path).items():
            if name not in tables or not isinstance(values, dict):
                raise BadPreset(
                    f"{path}: {name!r} is no table of the stage {stage}; allowed are "
                    f"[{'], ['.join(tables)}]."
                )
            tables[name] = {**tables[name], **values}
    settings = _table(_KINDS[stage], tables, str(path or shipped))
    return cast("Settings", settings)


def _read(path: Path) -> dict[str, Any]:
    if not path.is_file():
        raise FileMissing(f"There is no configuration {path}; leave out --config for the usual.")
    if path.stat().st_size > MAX_FILE_BYTES:
        raise BadPreset(f"{path} has more than {MAX_FILE_BYTES} bytes; a configuration is a page.")
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (UnicodeDecodeError, tomllib.TOMLDecodeError, RecursionError) as error:
        raise BadPreset(f"{path} is no TOML: {error}; correct it.") from error


def _table(kind: type[_Table], given: Mapping[str, Any], where: str) -> _Table:
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
        return _table(cast("type[Any]", kind), value, where)
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
