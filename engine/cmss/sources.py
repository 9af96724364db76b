"""Sound sources as embeddings: checked, projected into the manifold, heard one by one."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor
from torch.nn.functional import normalize

from engine.cmss.gaussian import Gaussian
from engine.cmss.model import SSV2A
from osc_bridge.errors import NothingToRender, OutOfRange, TooManySources

Modality = Literal["clip", "clap"]


@dataclass(frozen=True, eq=False)
class SourceEmbedding:
    """One source. ``clip``: image or text, ``vector`` (clip_dim,); ``clap``: audio, (clap_dim,).

    ``weight``, 0 or more, is its share in the ``mean`` score of Cycle Mix.
    """

    modality: Modality
    vector: Tensor
    weight: float = 1.0


def check_sources(model: SSV2A, sources: Sequence[SourceEmbedding]) -> None:
    """Raise NothingToRender, TooManySources or OutOfRange unless the model can take them all."""
    slots = model.config.remixer.slot
    if not sources:
        raise NothingToRender(
            f"The scene has 0 sources; 1 to {slots} are allowed: add an image, a text or a sound."
        )
    if len(sources) > slots:
        raise TooManySources(
            f"{len(sources)} sources; this pack mixes 1 to {slots}: remove "
            f"{len(sources) - slots} or share them out among several scenes."
        )
    for i, source in enumerate(sources, start=1):
        _check_source(model, source, f"source {i}")


def check_vector(vector: Tensor, dim: int, who: str) -> None:
    """OutOfRange unless ``vector`` is (dim,), finite and not zero."""
    if tuple(vector.shape) != (dim,):
        raise OutOfRange(
            f"The embedding of {who} has shape {tuple(vector.shape)}; this pack takes ({dim},): "
            "encode it with this pack's own encoders."
        )
    if not bool(vector.isfinite().all()) or not bool(vector.any()):
        raise OutOfRange(
            f"The embedding of {who} holds NaN, infinity or nothing but zeros; finite numbers are "
            "allowed: remove this source or give it another file."
        )


def _check_source(model: SSV2A, source: SourceEmbedding, who: str) -> None:
    dims = {"clip": model.config.clip_dim, "clap": model.config.clap_dim}
    if source.modality not in dims:
        raise OutOfRange(f"The modality of {who} is {source.modality!r}: use 'clip' or 'clap'.")
    check_vector(source.vector, dims[source.modality], who)
    if not (math.isfinite(source.weight) and source.weight >= 0.0):
        raise OutOfRange(
            f"The weight of {who} is {source.weight}; allowed are finite numbers from 0 up: "
            "1 is an equal share."
        )


@torch.no_grad()
def project(model: SSV2A, sources: Sequence[SourceEmbedding]) -> Tensor:
    """Means of v(v) and phi(a): (S, manifold_dim), bit by bit the same alone or together."""
    check_sources(model, sources)
    return torch.cat([_project_one(model, source) for source in sources])


@torch.no_grad()
def source_semantics(model: SSV2A, sources: Sequence[SourceEmbedding]) -> Tensor:
    """a_src = chi(e) of each source, (S, clap_dim) of unit length.

    Row by row, so that a source alone gives the same bits as the source among others: a stem
    does not change when its neighbours do.
    """
    check_sources(model, sources)
    rows = [model.reconstructor(_project_one(model, source)).mu for source in sources]
    return torch.cat([normalize(row, dim=-1) for row in rows])


def _project_one(model: SSV2A, source: SourceEmbedding) -> Tensor:
    towers: dict[Modality, Callable[[Tensor], Gaussian]]
    towers = {"clip": model.clip_projector, "clap": model.clap_projector}
    return towers[source.modality](on_model(model, source.vector).unsqueeze(0)).mu


def on_model(model: SSV2A, vector: Tensor) -> Tensor:
    """A copy with the type and device of the model's weights."""
    like = model.logit_scale
    return vector.detach().to(like.device, like.dtype, copy=True)
