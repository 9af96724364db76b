"""The losses of SSV2A (Sec. 3.2 and 3.3) and of the starter's own networks."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional


def similarities(left: Tensor, right: Tensor) -> Tensor:
    """Return cosine similarities (N, M) of rows (N, D) and (M, D)."""
    return functional.normalize(left, dim=-1) @ functional.normalize(right, dim=-1).T


def ccmr_mask(clips: Tensor, claps: Tensor, alpha: float) -> Tensor:
    """Return the contrastive mask (N, N) of Eq. 6 and 7; the diagonal is left alone (1).

    ``alpha`` 0 switches the mask off.
    """
    product = similarities(clips, clips) * similarities(claps, claps)
    mask = (
        torch.exp(-alpha * product.clamp(0.0, 1.0) ** alpha) if alpha else torch.ones_like(product)
    )
    return mask.fill_diagonal_(1.0)


def contrastive(left: Tensor, right: Tensor, scale: Tensor, mask: Tensor | None = None) -> Tensor:
    """Return the symmetric contrastive loss of Eq. 3 for N pairs of rows."""
    logits = scale * similarities(left, right)
    if mask is not None:
        logits = logits * mask
    target = torch.arange(len(logits), device=logits.device)
    return (
        functional.cross_entropy(logits, target) + functional.cross_entropy(logits.T, target)
    ) / 2


def soft_contrastive(left: Tensor, right: Tensor, scale: Tensor, alike: Tensor) -> Tensor:
    """Return the symmetric loss against soft targets: ``alike`` (N, N), rows summing to one.

    For pairs whose texts repeat or nearly repeat within the batch.
    """
    logits = scale * similarities(left, right)
    return (
        functional.cross_entropy(logits, alike) + functional.cross_entropy(logits.T, alike.T)
    ) / 2


def cosine_distance(predicted: Tensor, wanted: Tensor) -> Tensor:
    """Return the mean of 1 - cosine similarity (Eq. 4, 9)."""
    return (1 - functional.cosine_similarity(predicted, wanted, dim=-1)).mean()
