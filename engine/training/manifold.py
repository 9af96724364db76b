"""The losses of the manifold (Sec. 3.2, Eq. 2 to 7) on a batch of single-source pairs.

:mod:`engine.training.mean_teacher` is the stage that learns by them.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from engine.cmss import SSV2A, Gaussian
from engine.cmss.manifold import VariationalTower
from engine.cmss.remixer import TokenHeads
from engine.training.losses import ccmr_mask, contrastive, cosine_distance
from engine.training.world import ALONE, World

QUIET_LOG_VAR = -5.0  # at the start: with deviation 1 the samples drown what is to be learned


def blur(vectors: Tensor, length: float, generator: torch.Generator) -> Tensor:
    """Return unit vectors near ``vectors`` (N, D): noise of about ``length``, then normalised."""
    noise = torch.randn(vectors.shape, generator=generator) * (length / vectors.shape[-1] ** 0.5)
    return functional.normalize(vectors + noise, dim=-1)


@dataclass(frozen=True)
class Fold:
    """A batch of pairs in the manifold: ``clips`` and ``claps`` of all processes, the rest our own.

    ``clips`` (N, clip_dim), ``claps`` (N, clap_dim); ``seen``, ``heard`` and samples of them,
    ``e_clip`` and ``e_clap``, (B, manifold_dim).
    """

    clips: Tensor
    claps: Tensor
    seen: Gaussian
    heard: Gaussian
    e_clip: Tensor
    e_clap: Tensor


def fold(
    model: SSV2A, clips: Tensor, claps: Tensor, generator: torch.Generator, world: World = ALONE
) -> Fold:
    """Project a whole batch of pairs (N, clip_dim), (N, clap_dim): Eq. 2."""
    clips, claps = clips.to(world.device), claps.to(world.device)
    seen = model.clip_projector(world.mine(clips))
    heard = model.clap_projector(world.mine(claps))
    e_clip, e_clap = world.sample(seen, generator), world.sample(heard, generator)
    return Fold(clips, claps, seen, heard, e_clip, e_clap)


def contrast_loss(model: SSV2A, pairs: Fold, world: World = ALONE) -> Tensor:
    """Return L_c under the mask of CCMR, and the projectors' part of L_kl (Eq. 3, 5 to 7)."""
    config = model.config
    mask = ccmr_mask(pairs.clips, pairs.claps, config.manifold.cr_weight)
    scale = model.logit_scale.exp().clamp(max=100.0)
    contrast = contrastive(world.gather(pairs.e_clip), world.gather(pairs.e_clap), scale, mask)
    kl = (pairs.seen.kl().mean() + pairs.heard.kl().mean()) / config.manifold_dim
    total: Tensor = contrast + config.manifold.kl_weight * kl
    return total


def rebuild_loss(
    model: SSV2A, pairs: Fold, weight: float, generator: torch.Generator, world: World = ALONE
) -> Tensor:
    """Return ``weight`` L_r, and the reconstructor's part of L_kl (Eq. 4, 5)."""
    config, claps = model.config, world.mine(pairs.claps)
    from_clip, from_clap = model.reconstructor(pairs.e_clip), model.reconstructor(pairs.e_clap)
    rebuild = (
        cosine_distance(world.sample(from_clip, generator), claps)
        + cosine_distance(world.sample(from_clap, generator), claps)
    ) / 2
    kl = (from_clip.kl().mean() + from_clap.kl().mean()) / config.clap_dim
    total: Tensor = weight * rebuild + config.generator.kl_weight * kl
    return total


def quieten(*networks: VariationalTower | TokenHeads) -> None:
    """Let the samples of these networks begin near their means."""
    for network in networks:
        nn.init.constant_(network.out_sigma.bias, QUIET_LOG_VAR)


@torch.inference_mode()
def semantics(model: SSV2A, clips: Tensor) -> Tensor:
    """Return a_src = chi(v(clips)) as unit vectors (..., clap_dim), without sampling."""
    return functional.normalize(model.reconstructor(model.clip_projector(clips).mu).mu, dim=-1)
