"""The configuration of a stage: TOML, every key known, every value in its range.

``presets/training/STAGE.toml`` in the install holds every key; a file of the user's own gives only
what should differ.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Final, Literal, cast

import presets
from engine.training.loop import Schedule, Watch
from engine.training.results import StageName
from engine.training.strict_toml import checked, read_toml
from engine.training.vocoder_table import VocoderTable
from engine.training.within import Within
from engine.training.world import Parallel, Precision
from osc_bridge.errors import BadPreset

Size = Literal["tiny", "starter", "paper"]


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
class EncoderTable:
    """The audio encoder: channels of its first block, doubled in each further one; its output."""

    width: Annotated[int, Within(8, 512)]
    dim: Annotated[int, Within(8, 4096)]


@dataclass(frozen=True)
class AutoencoderTable:
    """The mel codec: numbers a token, and channels of what redraws the picture."""

    dims: Annotated[int, Within(2, 512)]
    width: Annotated[int, Within(8, 4096)]


@dataclass(frozen=True)
class DecoderTable:
    """The diffusion transformer over codec tokens."""

    width: Annotated[int, Within(16, 4096)]
    layers: Annotated[int, Within(1, 64)]
    heads: Annotated[int, Within(1, 64)]
    expansion: Annotated[int, Within(1, 8)]


@dataclass(frozen=True)
class EncoderSettings:
    run: RunTable
    schedule: ScheduleTable
    encoder: EncoderTable


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


@dataclass(frozen=True)
class AutoencoderSettings:
    run: RunTable
    schedule: ScheduleTable
    autoencoder: AutoencoderTable


@dataclass(frozen=True)
class DecoderSettings:
    run: RunTable
    schedule: ScheduleTable
    decoder: DecoderTable


@dataclass(frozen=True)
class VocoderSettings:
    run: RunTable
    schedule: ScheduleTable
    vocoder: VocoderTable


Settings = (
    EncoderSettings
    | ManifoldSettings
    | TranslatorSettings
    | RemixerSettings
    | AggregatorSettings
    | AutoencoderSettings
    | DecoderSettings
    | VocoderSettings
)
_KINDS: Final[Mapping[StageName, type[Any]]] = {
    "encoder": EncoderSettings,
    "manifold": ManifoldSettings,
    "audio2clip": TranslatorSettings,
    "remixer": RemixerSettings,
    "aggregator": AggregatorSettings,
    "autoencoder": AutoencoderSettings,
    "decoder": DecoderSettings,
    "vocoder": VocoderSettings,
}


def load_settings(stage: StageName, path: Path | None = None) -> Settings:
    """Return the shipped settings of a stage with those of ``path`` on top.

    FileMissing, or BadPreset for a key that is unknown or a value outside its range.
    """
    shipped = Path(presets.__file__).parent / "training" / f"{stage}.toml"
    tables = read_toml(shipped)
    if path is not None:
        for name, values in read_toml(path).items():
            if name not in tables or not isinstance(values, dict):
                raise BadPreset(
                    f"{path}: {name!r} is no table of the stage {stage}; allowed are "
                    f"[{'], ['.join(tables)}]."
                )
            tables[name] = {**tables[name], **values}
    settings = checked(_KINDS[stage], tables, str(path or shipped))
    return cast("Settings", settings)
