"""A scene's sources -> the embedding of the whole sound, a_mix."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn.functional import normalize

from engine.cmss.cycle_mix import (
    CycleMixSettings,
    MixResult,
    RemixTokens,
    cycle_mix,
    mean_score,
    published_cycle_mix,
)
from engine.cmss.model import SSV2A
from engine.cmss.sources import SourceEmbedding, check_sources, check_vector, on_model
from engine.steps import StepCallback, no_steps
from osc_bridge.errors import OutOfRange


@torch.no_grad()
def mix(
    model: SSV2A,
    sources: Sequence[SourceEmbedding],
    global_clip: Tensor | None = None,
    settings: CycleMixSettings | None = None,
    generator: torch.Generator | None = None,
    on_step: StepCallback = no_steps,
) -> MixResult:
    """Remix 1 to ``slot`` sources of any modality; ``global_clip`` (clip_dim,) is the whole frame.

    Slot 0 holds the whole frame, or zeros, and does not count as a source: with as many sources
    as the pack has slots there is one token more, as in Algorithm 1. The order of the sources
    does not matter. Raises the errors of ``check_sources`` and what ``on_step`` raises.
    """
    settings = settings or CycleMixSettings()
    check_sources(model, sources)
    if global_clip is not None:
        check_vector(global_clip, model.config.clip_dim, "the whole frame")
    clips, claps = _scene_rows(model, sources, global_clip)
    if settings.score == "std":
        rows = _published_rows(model, clips, claps, settings, generator)
        return published_cycle_mix(model, rows, settings, generator, on_step)
    weights = _weights(sources, clips)
    tokens = _paper_tokens(model, clips, claps)
    heard = tokens.manifold[1 : len(sources) + 1]
    semantics = normalize(model.reconstructor(heard).mu, dim=-1)
    score = mean_score(semantics, weights)
    a_mix, best = cycle_mix(model, tokens, score, settings, generator, on_step)
    return MixResult(a_mix, best)


def _scene_rows(
    model: SSV2A, sources: Sequence[SourceEmbedding], global_clip: Tensor | None
) -> tuple[Tensor, Tensor]:
    """CLIP and CLAP vectors by row: slot 0, each source, one padding row; zero where absent."""
    config, like = model.config, model.logit_scale
    clips = like.new_zeros(len(sources) + 2, config.clip_dim)
    claps = like.new_zeros(len(sources) + 2, config.clap_dim)
    if global_clip is not None:
        clips[0] = on_model(model, global_clip)
    for i, source in enumerate(sources, start=1):
        target = clips if source.modality == "clip" else claps
        target[i] = on_model(model, source.vector)
    return clips, claps


def _counts(model: SSV2A, clips: Tensor) -> Tensor:
    """One slot for every row, the rest of the pack's slots for the padding row."""
    counts = clips.new_ones(len(clips))
    counts[-1] = max(0, model.config.remixer.slot - (len(clips) - 1))
    return counts


def _weights(sources: Sequence[SourceEmbedding], like: Tensor) -> Tensor:
    weights = like.new_tensor([source.weight for source in sources])
    if not float(weights.sum()) > 0.0:
        raise OutOfRange(
            f"The weights of all {len(sources)} sources are 0; at least one must be above 0: "
            "raise the weight of a source."
        )
    return weights / weights.max()


def _paper_tokens(model: SSV2A, clips: Tensor, claps: Tensor) -> RemixTokens:
    """Means of v and phi; slots without a source are zero in both parts (Sec. 3.3)."""
    manifold = clips.new_zeros(len(clips), model.config.manifold_dim)
    for vectors, tower in ((clips, model.clip_projector), (claps, model.clap_projector)):
        present = vectors.any(dim=-1)
        if bool(present.any()):
            manifold[present] = tower(vectors[present]).mu
    return RemixTokens(manifold, _seen_and_heard(model, clips, claps), _counts(model, clips))


def _seen_and_heard(model: SSV2A, clips: Tensor, claps: Tensor) -> Tensor:
    """CLIP halves of the tokens: of audio sources zero, or what a translator makes of them."""
    if model.translator is None:
        return clips
    audio = claps.any(dim=-1)
    clips = clips.clone()
    clips[audio] = model.translator(claps[audio])
    return clips


def _published_rows(
    model: SSV2A,
    clips: Tensor,
    claps: Tensor,
    settings: CycleMixSettings,
    generator: torch.Generator | None,
) -> tuple[Tensor, Tensor | None, Tensor]:
    """Clips, fixed manifold tokens of the audio sources (None without any), counts."""
    counts = _counts(model, clips)
    audio = claps.any(dim=-1)
    if not bool(audio.any()):
        return clips, None, counts
    fixed = clips.new_zeros(len(clips), model.config.manifold_dim)
    fixed[audio] = model.clap_projector(claps[audio]).sample(generator, settings.draws)
    return clips, fixed, counts
