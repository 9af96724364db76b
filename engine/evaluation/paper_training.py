"""Parts of ``wildtrack evaluate --paper`` that need the pack's training: ablations, audio gain."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import torch

from engine.evaluation.paper_bench import Bench
from osc_bridge.errors import BadCorpus

if TYPE_CHECKING:
    from engine.training.stages import Run

NO_TRAINING = "needs the work folder of the pack's training; give it with --training."
SAME = 0.98  # cosine of one sound's embeddings: half precision changes less
LOOKED_AT = 8


def ablations(bench: Bench) -> dict[str, Any]:
    """Return Tables 4 and 5 at this scale, every variant trained anew and alike."""
    from engine.evaluation.ablation_sources import of_run  # noqa: PLC0415
    from engine.evaluation.ablations import ablate  # noqa: PLC0415
    from engine.training.ablations import Budget  # noqa: PLC0415

    def measured(run: Run) -> dict[str, Any]:
        return ablate(of_run(run, bench.stage), Budget(), bench.wish.work, bench.stage)

    return _with_run(bench, measured)


def audio(bench: Bench) -> dict[str, Any]:
    """Return how much image-space semantics of audio sources gain (A.7.2)."""
    from engine.evaluation.ablation_measures import held_scenes  # noqa: PLC0415
    from engine.evaluation.ablation_sources import of_run  # noqa: PLC0415
    from engine.evaluation.audio_gain import audio_gain  # noqa: PLC0415

    def measured(run: Run) -> dict[str, Any]:
        _require_of_pack(run, bench)
        scenes = held_scenes(of_run(run, bench.stage), HEARD_SHARE)
        return audio_gain(bench.pack.ssv2a, scenes, bench.wish.how)

    return _with_run(bench, measured)


HEARD_SHARE = 0.5


def _with_run(bench: Bench, measure: Callable[[Run], dict[str, Any]]) -> dict[str, Any]:
    from engine.training.plan import starter_plan  # noqa: PLC0415
    from engine.training.stages import Run  # noqa: PLC0415

    if bench.wish.training is None:
        return {"why": NO_TRAINING}
    return measure(Run(bench.wish.data, bench.wish.training, starter_plan()))


def _require_of_pack(run: Run, bench: Bench) -> None:
    """Raise BadCorpus unless the training's embeddings are those of the pack."""
    from engine.training.features import read_wave  # noqa: PLC0415

    rows = run.tensor("heard")[:LOOKED_AT]
    waves = [read_wave(clip.path) for clip in run.clips[:LOOKED_AT]]
    ours = torch.stack([bench.pack.audio.encode([wave])[0].cpu() for wave in waves])
    likeness = torch.nn.functional.cosine_similarity(ours, rows[: len(ours)], dim=-1)
    if float(likeness.min()) < SAME:
        raise BadCorpus(
            f"{run.work} is not the training of the pack {bench.manifest.name}: their embeddings "
            f"of one sound have a cosine of {float(likeness.min()):.3f}, at least {SAME} is "
            "wanted; give the folder that made this pack with --training."
        )
