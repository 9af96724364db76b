"""What an ablated model is measured by: embeddings that it predicts against those of real sounds.

No sound is generated: ``frechet_embeddings`` is a cheap stand-in of the Fréchet distance of
generated sounds, ``ssms_prototypes`` one of the matching score, whose labels are the classes with
the nearest mean embedding.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from engine.cmss import SSV2A
from engine.cmss.remixer import Remixer
from engine.evaluation import frechet, labels
from engine.training.ablations import AblationData, Condition, Sounds, part_of, scenes_of
from engine.training.scenes import Scenes
from osc_bridge.errors import BadCorpus

Marks = dict[str, float]
LEAST_OF_CLASS = 5
LEAST_PAIRS = 6
SCENE_SEED = 7


@dataclass(frozen=True)
class Asked:
    """Held-out pairs: ``clips`` (N, clip_dim) ask for ``claps`` (N, clap_dim), row by row."""

    clips: Tensor
    claps: Tensor


def asked(held: Sounds) -> dict[str, Asked]:
    """Return held-out pairs by what asks: ``text``, ``image``; fewer than 6 are left out.

    Each text and each picture asks once, for the first sound that it belongs to.
    """
    found = {}
    for name, views in (("text", held.read), ("image", held.seen)):
        first = {mine[0]: row for row, mine in reversed(list(enumerate(views))) if mine}
        clips, rows = sorted(first), [first[clip] for clip in sorted(first)]
        if len(rows) >= LEAST_PAIRS:
            found[name] = Asked(held.clips[clips], held.claps[rows])
    return found


def held_scenes(data: AblationData, share: float = 0.0, seed: int = SCENE_SEED) -> Scenes:
    """Return the held-out scenes as they are shown to every variant.

    About ``share`` of the sources come as sound: with a share above 0 at least the first of each
    scene, with 1 all of them.
    """
    generator = torch.Generator().manual_seed(seed)
    heard = torch.rand(data.held_scenes.rows.shape, generator=generator) < share
    heard[:, 0] |= share > 0
    return scenes_of(data.held, data.held_scenes, heard, 0.0, generator)


def alone(pairs: Asked) -> Scenes:
    """Return every pair as a scene of one source."""
    return Scenes(
        clips=pairs.clips.unsqueeze(1),
        claps=pairs.claps.new_zeros(len(pairs.claps), 1, pairs.claps.shape[1]),
        frames=torch.zeros_like(pairs.clips),
        targets=pairs.claps,
    )


def prototypes(sounds: Sounds) -> Tensor:
    """Return the mean embedding of each class of 5 sounds or more: unit vectors (C, clap_dim)."""
    kinds = np.array(sounds.kinds)
    names = [n for n in sorted(set(sounds.kinds) - {""}) if (kinds == n).sum() >= LEAST_OF_CLASS]
    if len(names) < 2:
        raise BadCorpus(
            f"The data has {len(names)} classes of at least {LEAST_OF_CLASS} sounds, ablations "
            "need 2 or more: add sounds, or name more classes."
        )
    rows = [sounds.claps[torch.from_numpy(kinds == name)].mean(0) for name in names]
    return functional.normalize(torch.stack(rows), dim=-1)


@torch.inference_mode()
def fold_marks(model: SSV2A, pairs: Asked, classes: Tensor) -> Marks:
    """Return the marks of the manifold: retrieval in it, and its reconstructions a_src."""
    seen, heard = model.clip_projector(pairs.clips).mu, model.clap_projector(pairs.claps).mu
    predicted = functional.normalize(model.reconstructor(seen).mu, dim=-1)
    return {**recalls(seen, heard), **nearness(predicted, pairs.claps, classes)}


@torch.inference_mode()
def mix_marks(
    model: SSV2A, remixer: Remixer, scenes: Scenes, condition: Condition, classes: Tensor
) -> Marks:
    """Return the marks of a Remixer's mean (no Cycle Mix): a_mix against what sounds."""
    mixed = functional.normalize(remixer(*part_of(model, scenes, condition)).mu, dim=-1)
    return {**recalls(mixed, scenes.targets), **nearness(mixed, scenes.targets, classes)}


def recalls(asking: Tensor, wanted: Tensor) -> Marks:
    """Return how often row i of ``wanted`` (N, D) is the nearest, or among five, to ``asking``."""
    likeness = functional.normalize(asking, dim=-1) @ functional.normalize(wanted, dim=-1).T
    place = (likeness > likeness.diagonal().unsqueeze(1)).sum(1)
    return {
        "pairs": len(asking),
        "r_at_1": float((place < 1).float().mean()),
        "r_at_5": float((place < 5).float().mean()),
    }


def nearness(predicted: Tensor, true: Tensor, classes: Tensor) -> Marks:
    """Return mean cosine, Fréchet distance and matching score of unit vectors (N, clap_dim)."""
    count = min(labels.PAPER_LABELS, len(classes) - 1)
    chosen = [labels.top_labels(_scores(rows, classes), count) for rows in (true, predicted)]
    f1 = labels.match(*chosen).f1
    return {
        "cosine": float(functional.cosine_similarity(predicted, true, dim=-1).mean()),
        "frechet_embeddings": frechet.between(_rows(predicted), _rows(true)),
        "ssms_prototypes": labels.PAPER_LABELS * float(f1.mean()),
    }


def _scores(rows: Tensor, classes: Tensor) -> labels.Scores:
    return _rows(functional.normalize(rows, dim=-1) @ classes.T)


def _rows(tensor: Tensor) -> frechet.Rows:
    return tensor.detach().double().numpy()


def chances(count: int) -> Marks:
    """Return what guessing gives among ``count`` pairs."""
    return {"pairs": count, "r_at_1": 1 / count, "r_at_5": min(1.0, 5 / count)}


def least_distance(true: Tensor, seed: int) -> float:
    """Return the Fréchet distance that chance alone gives as many true embeddings (N, D)."""
    rows = [row[None] for row in _rows(true)]
    return frechet.floor(rows, len(rows), seed)


def spread(values: Sequence[float]) -> dict[str, object]:
    """Return mean and standard deviation over seeds, and each seed's value."""
    return {
        "mean": float(np.mean(values)),
        "std": float(np.std(values, ddof=1)) if len(values) > 1 else 0.0,
        "seeds": [float(value) for value in values],
    }
