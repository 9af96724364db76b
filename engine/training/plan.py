"""What the training of a starter pack is: its stages in order, and the settings of each."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Final, cast

from engine.models.sizes import TEXT_DIM, StarterSizes
from engine.synthesis.codec import CodecSettings
from engine.training.data.listening import NO_PACK
from engine.training.model_sizes import ssv2a_config
from engine.training.results import RESULTS, StageName
from engine.training.run import FREE
from engine.training.settings import (
    AutoencoderSettings,
    DecoderSettings,
    EncoderSettings,
    ManifoldSettings,
    RemixerSettings,
    Settings,
    TranslatorSettings,
    load_settings,
)
from engine.training.stage_decoder import sizes_of as decoder_sizes
from engine.training.stage_encoder import sizes_of as encoder_sizes
from osc_bridge.errors import BadCorpus
from presets.files import write_whole

RECORD = "plan.json"
STAGES: Final[tuple[StageName, ...]] = (
    "encoder",
    "manifold",
    "audio2clip",
    "remixer",
    "autoencoder",
    "decoder",
)
"""What a starter pack consists of, in order; sounds are prepared before and heard after encoder."""


@dataclass(frozen=True)
class Plan:
    """The settings of every stage."""

    settings: Mapping[StageName, Settings]

    @property
    def seed(self) -> int:
        """The seed of the first stage; the shipped settings have one for all."""
        return self.settings["encoder"].run.seed

    @cached_property
    def sizes(self) -> StarterSizes:
        """Sizes of the networks."""
        audio = encoder_sizes(cast("EncoderSettings", self.settings["encoder"]))
        fold = cast("ManifoldSettings", self.settings["manifold"]).model
        tokens = cast("AutoencoderSettings", self.settings["autoencoder"]).autoencoder
        codec = CodecSettings(dims=tokens.dims, width=tokens.width)
        flow = cast("DecoderSettings", self.settings["decoder"]).decoder
        return StarterSizes(
            audio=audio,
            ssv2a=ssv2a_config(fold, TEXT_DIM, audio.dim),
            codec=codec,
            generator=decoder_sizes(flow, codec, audio.dim),
        )

    def with_generator_steps(self, steps: int | None) -> Plan:
        """Return the plan with another length of the longest stage."""
        if steps is None:
            return self
        usual = self.settings["decoder"]
        other = replace(usual, schedule=replace(usual.schedule, steps=steps))
        return Plan({**self.settings, "decoder": other})


def record(plan: Plan, data: Path, work: Path) -> None:
    """Write plan and data into the work folder; BadCorpus if it holds a run of something else.

    What a finished stage was trained by must not change, but for what changes no weights.
    """
    path = work / RECORD
    ours = _plan(plan, data)
    if path.exists():
        theirs = json.loads(path.read_text(encoding="utf-8"))
        finished = [stage for stage in STAGES if (work / RESULTS[stage]).exists()]
        changed = [] if theirs.get("data") == ours["data"] else ["data"]
        changed += [
            stage
            for stage in finished
            if _fixed(theirs.get("stages", {}).get(stage)) != _fixed(ours["stages"][stage])
        ]
        if changed:
            raise BadCorpus(
                f"{work} holds a training run with other {', '.join(changed)}; give another "
                "folder with --work, or remove it to start anew."
            )
    write_whole(path, json.dumps(ours, indent=2, sort_keys=True).encode())


def _plan(plan: Plan, data: Path) -> dict[str, Any]:
    stages = {stage: asdict(settings) for stage, settings in plan.settings.items()}
    steps = {"steps": plan.settings["decoder"].schedule.steps}
    ours = {"seed": plan.seed, "data": _hashes(data), "generator": steps, "stages": stages}
    return cast("dict[str, Any]", json.loads(json.dumps(ours)))


def _fixed(settings: Any) -> dict[str, Any]:
    """Return what of a stage's settings decides its weights."""
    tables = settings if isinstance(settings, dict) else {}
    return {
        f"{name}.{key}": value
        for name, table in tables.items()
        for key, value in table.items()
        if key not in FREE
    }


def _hashes(data: Path) -> dict[str, str]:
    """Return the SHA-256 (hex) of the tables that say what the corpus is."""
    tables = [data / name for name in ("sounds.csv", "images.csv")]
    return {t.name: hashlib.sha256(t.read_bytes()).hexdigest() for t in tables if t.is_file()}


def starter_plan() -> Plan:
    """Return the plan of the pack inside the install: the shipped settings.

    Sounds are embedded by the run's own encoder, not by a pack; scenes are composed and pasted.
    """
    plan = {stage: load_settings(stage) for stage in STAGES}
    remixer = cast("RemixerSettings", plan["remixer"])
    plan["remixer"] = replace(remixer, scenes=replace(remixer.scenes, real=0.0, pack=NO_PACK))
    return Plan(plan)


def tiny_plan() -> Plan:
    """Return a plan that goes through every stage in seconds, for tests."""
    usual = starter_plan().settings
    encoder = cast("EncoderSettings", usual["encoder"])
    manifold = cast("ManifoldSettings", usual["manifold"])
    translator = cast("TranslatorSettings", usual["audio2clip"])
    remixer = cast("RemixerSettings", usual["remixer"])
    codec = cast("AutoencoderSettings", usual["autoencoder"])
    decoder = cast("DecoderSettings", usual["decoder"])
    small: dict[StageName, Settings] = {
        "encoder": replace(encoder, encoder=replace(encoder.encoder, width=8, dim=32)),
        "manifold": replace(
            manifold,
            model=replace(manifold.model, size="tiny"),
            manifold=replace(manifold.manifold, teacher_steps=2),
        ),
        "audio2clip": replace(translator, audio2clip=replace(translator.audio2clip, width=16)),
        "remixer": replace(remixer, scenes=replace(remixer.scenes, pasted_scenes=4)),
        "autoencoder": replace(codec, autoencoder=replace(codec.autoencoder, dims=8, width=16)),
        "decoder": replace(decoder, decoder=replace(decoder.decoder, width=32, layers=2, heads=2)),
    }
    return Plan({stage: _short(settings) for stage, settings in small.items()})


def _short(settings: Settings) -> Settings:
    schedule = replace(settings.schedule, steps=3, warmup=1, batch=4, validate_every=2)
    return replace(settings, schedule=schedule, run=replace(settings.run, tensorboard=False))
