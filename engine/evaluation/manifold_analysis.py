"""The paper's manifold analysis (A.3) of one model on one set of pairs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn.functional import normalize

from engine.cmss import SSV2A
from engine.evaluation.manifold_numbers import (
    Discriminant,
    Labels,
    Partition,
    Rows,
    discriminant,
    gap,
    linkages,
    partition,
    reduce,
)
from engine.evaluation.manifold_pairs import Embedded
from engine.steps import StepCallback
from osc_bridge.errors import BadCorpus, PackageMissing

SPACES = ("raw", "manifold", "reconstructed")
TESTED = 4  # classes of the discriminant test


@dataclass(frozen=True, eq=False)
class Space:
    """The same N pairs in one space: ``visual`` and ``audio`` (N, D), and ``plane`` (2N, 2).

    ``plane`` is t-SNE of both together, visual rows first.
    """

    visual: Rows
    audio: Rows
    plane: NDArray[np.float64]
    partition: Partition
    gap: float


@dataclass(frozen=True, eq=False)
class Analysis:
    """Everything that the report shows. ``links`` and ``across`` (M, M): average linkages in the
    manifold among visual samples, and of visual to audio samples; ``tests`` by class and space."""

    classes: tuple[str, ...]
    labels: Labels
    spaces: Mapping[str, Space]
    links: Rows
    across: Rows
    tests: Mapping[str, Mapping[str, Discriminant]]


def analyse(model: SSV2A, pairs: Embedded, seed: int, on_step: StepCallback) -> Analysis:
    """Return the analysis; the same pairs and seed give the same numbers."""
    classes = tuple(dict.fromkeys(pairs.labels))
    labels = np.array([classes.index(label) for label in pairs.labels])
    sides = project(model, pairs)
    spaces = {}
    for step, name in enumerate(SPACES, start=1):
        spaces[name] = _space(*sides[name], labels, seed)
        on_step(step, len(SPACES))
    visual, audio = sides["manifold"]
    return Analysis(
        classes=classes,
        labels=labels,
        spaces=spaces,
        links=linkages(visual, visual, labels),
        across=linkages(visual, audio, labels),
        tests=_tests(spaces, classes, labels, seed),
    )


@torch.inference_mode()
def project(model: SSV2A, pairs: Embedded) -> dict[str, tuple[Rows, Rows]]:
    """Return visual and audio rows in each space: raw, manifold, reconstructed (means, no draw).

    Raw image vectors are brought to the size of audio vectors by principal components.
    """
    like = model.logit_scale
    config = model.config
    if (pairs.clips.shape[1], pairs.claps.shape[1]) != (config.clip_dim, config.clap_dim):
        raise BadCorpus(
            f"The pairs have {pairs.clips.shape[1]} and {pairs.claps.shape[1]} dimensions, this "
            f"pack takes {config.clip_dim} and {config.clap_dim}: embed them with its encoders."
        )
    clips, claps = (
        torch.from_numpy(rows).to(like.device, like.dtype) for rows in (pairs.clips, pairs.claps)
    )
    seen, heard = model.clip_projector(clips).mu, model.clap_projector(claps).mu
    back = [normalize(model.reconstructor(rows).mu, dim=-1) for rows in (seen, heard)]
    return {
        "raw": (reduce(pairs.clips, config.clap_dim), pairs.claps),
        "manifold": (_rows(normalize(seen, dim=-1)), _rows(normalize(heard, dim=-1))),
        "reconstructed": (_rows(back[0]), _rows(back[1])),
    }


def _rows(tensor: torch.Tensor) -> Rows:
    return np.asarray(tensor.cpu().numpy(), dtype=np.float64)


def _space(visual: Rows, audio: Rows, labels: Labels, seed: int) -> Space:
    both = np.concatenate([visual, audio])
    return Space(
        visual=visual,
        audio=audio,
        plane=_plane(both, seed),
        partition=partition(both, np.concatenate([labels, labels])),
        gap=gap(visual, audio),
    )


def _plane(rows: Rows, seed: int) -> NDArray[np.float64]:
    """Return t-SNE of rows (N, D) in two dimensions."""
    try:
        from sklearn.manifold import TSNE  # noqa: PLC0415 - only evaluation needs it
    except ImportError as error:
        raise PackageMissing(
            "The manifold analysis needs scikit-learn, which is not installed: "
            "pip install 'wildtrack[train]'."
        ) from error
    perplexity = min(30.0, (len(rows) - 1) / 3)
    drawn = TSNE(perplexity=perplexity, init="pca", random_state=seed).fit_transform(rows)
    return np.asarray(drawn, dtype=np.float64)


def _tests(
    spaces: Mapping[str, Space], classes: tuple[str, ...], labels: Labels, seed: int
) -> dict[str, dict[str, Discriminant]]:
    """Return the discriminant test of a few classes, drawn by the seed, before and after."""
    chosen = np.random.default_rng(seed).permutation(len(classes))[:TESTED]
    return {
        classes[kind]: {
            name: discriminant(
                spaces[name].visual[labels == kind], spaces[name].audio[labels == kind]
            )
            for name in ("raw", "manifold")
        }
        for kind in sorted(int(index) for index in chosen)
    }
