"""Stage ``manifold``: projectors and reconstructor on single-source pairs (Sec. 3.2).

The pairs are translated ones (a sound and its words, which already live in image space) and
pictured ones (a sound and a cut-out of the same class). The paper's Mean-Teacher filtering and
its alternating optimisation come with the training issue; they take :func:`fold_loss` as it is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

from engine.cmss import SSV2A
from engine.steps import StepCallback
from engine.training.batches import draw
from engine.training.loop import At, Lesson, Place, Schedule, fit
from engine.training.losses import ccmr_mask, contrastive, cosine_distance

BATCH = 192
PICTURED = 0.35  # share of pairs whose image-space side is a picture, where the class has one
NOISE = 0.25  # length of the noise on a unit vector: words and pictures never seen
QUIET_LOG_VAR = -5.0  # at the start: with deviation 1 the samples drown what is to be learned


@dataclass(frozen=True)
class Pairs:
    """Aligned embeddings of N sounds.

    ``words`` (variants, N, clip_dim), raw and translated to where pictures lie; ``claps``
    (N, clap_dim); ``pictures`` (views, M, clip_dim); ``pictured[i]`` lists the rows of
    ``pictures`` that may stand for sound i; ``weights`` (N,).
    """

    words: Tensor
    claps: Tensor
    pictures: Tensor
    pictured: Sequence[Sequence[int]]
    weights: Tensor


def blur(vectors: Tensor, length: float, generator: torch.Generator) -> Tensor:
    """Return unit vectors near ``vectors`` (N, D): noise of about ``length``, then normalised."""
    noise = torch.randn(vectors.shape, generator=generator) * (length / vectors.shape[-1] ** 0.5)
    return functional.normalize(vectors + noise, dim=-1)


def image_side(pairs: Pairs, rows: Sequence[int], generator: torch.Generator) -> Tensor:
    """Return one image-space vector (B, clip_dim) for each sound: its words or a picture."""
    chances = torch.rand(len(rows), 2, generator=generator)
    chosen = []
    for row, (kind, which) in zip(rows, chances.tolist(), strict=True):
        options = pairs.pictured[row]
        if options and kind < PICTURED:
            view, option = divmod(int(which * len(options) * len(pairs.pictures)), len(options))
            chosen.append(pairs.pictures[view, options[option]])
        else:
            chosen.append(pairs.words[int(which * len(pairs.words)), row])
    return torch.stack(chosen)


def fold_loss(model: SSV2A, clips: Tensor, claps: Tensor, generator: torch.Generator) -> Tensor:
    """Return L_fold (Eq. 5) of pairs (B, clip_dim), (B, clap_dim)."""
    config = model.config
    seen, heard = model.clip_projector(clips), model.clap_projector(claps)
    e_clip, e_clap = seen.sample(generator), heard.sample(generator)
    from_clip, from_clap = model.reconstructor(e_clip), model.reconstructor(e_clap)
    mask = ccmr_mask(clips, claps, config.manifold.cr_weight)
    scale = model.logit_scale.exp().clamp(max=100.0)
    contrast = contrastive(e_clip, e_clap, scale, mask)
    rebuild = (
        cosine_distance(from_clip.sample(generator), claps)
        + cosine_distance(from_clap.sample(generator), claps)
    ) / 2
    kl_fold = (seen.kl().mean() + heard.kl().mean()) / config.manifold_dim
    kl_back = (from_clip.kl().mean() + from_clap.kl().mean()) / config.clap_dim
    kl = config.manifold.kl_weight * kl_fold + config.generator.kl_weight * kl_back
    total: Tensor = contrast + 4.0 * rebuild + kl
    return total


def train(
    model: SSV2A,
    pairs: Pairs,
    schedule: Schedule,
    checkpoint: Path,
    on_step: StepCallback,
    seed: int,
) -> SSV2A:
    """Train ``v``, ``phi`` and ``chi`` of ``model``; return the moving average, in eval mode."""
    parts = nn.ModuleList([model.manifold, model.generator])
    for tower in (model.clip_projector, model.clap_projector, model.reconstructor):
        nn.init.constant_(tower.out_sigma.bias, QUIET_LOG_VAR)
    optimizer = torch.optim.AdamW(parts.parameters(), lr=1.5e-3, weight_decay=0.02)

    def loss(at: At) -> Tensor:
        generator = at.generator
        rows = draw(pairs.weights, BATCH, generator)
        clips = blur(image_side(pairs, rows, generator), NOISE, generator)
        return fold_loss(model, clips, blur(pairs.claps[rows], NOISE, generator), generator)

    lesson = Lesson(model, loss, [[optimizer]])
    trained = fit(lesson, schedule, Place(checkpoint, on_step, seed))
    assert isinstance(trained, SSV2A)
    return trained


@torch.inference_mode()
def semantics(model: SSV2A, clips: Tensor) -> Tensor:
    """Return a_src = chi(v(clips)) as unit vectors (..., clap_dim), without sampling."""
    return functional.normalize(model.reconstructor(model.clip_projector(clips).mu).mu, dim=-1)
