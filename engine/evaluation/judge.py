"""An independent judge: statistics of log-mels and extremely randomised trees.

Of another architecture than anything in a pack, and taught only by packages of sounds that neither
encoder nor generator saw.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from engine.perception.mel import MEL, log_mel

Features = NDArray[np.float32]
BANDS = 24
TREES = 600
PENALTY = 0.01  # inverse; chosen on the teachers alone, by packages left out


def describe(wave: NDArray[np.float32]) -> Features:
    """Return the judge's description of a mono wave at the front end's rate, level taken out."""
    peak = float(np.abs(wave).max(initial=1e-9))
    picture = log_mel(torch.from_numpy(wave * (0.9 / peak))).numpy()
    energy = np.exp(picture).sum(0)
    active = picture[:, energy > energy.max() * 0.003]
    steps = np.abs(np.diff(active, axis=1)) if active.shape[1] > 1 else np.zeros((MEL.mels, 1))
    shape = active - active.mean()
    bands = np.stack([part.mean(0) for part in np.array_split(shape, BANDS)])
    parts = [
        shape.mean(1),
        shape.std(1),
        np.percentile(shape, (10, 90), axis=1).ravel(),
        steps.mean(1),
        np.corrcoef(bands + 1e-6 * np.arange(bands.shape[1]))[np.triu_indices(BANDS, 1)][::5],
        _envelope(energy, active.shape[1]),
    ]
    described: Features = np.nan_to_num(np.concatenate(parts)).astype(np.float32)
    return described


def _envelope(energy: NDArray[Any], active: int) -> NDArray[np.float64]:
    """Return length, attack, decay, rises and periodicity of the energy over time."""
    level = np.log(energy + 1e-3)
    rises = np.diff(level, prepend=level[0])
    centred = level - level.mean()
    spectrum = np.abs(np.fft.rfft(centred, 1024)) ** 2
    periodic = np.fft.irfft(spectrum)[4:120] / (spectrum.mean() + 1e-9)
    quarters = [part.mean() for part in np.array_split(level, 8) if len(part)] + [0.0] * 8
    shape = [
        np.log(active),
        np.log(len(level)),
        np.argmax(level) / len(level),
        (rises > 0.7).mean(),
        (rises > 0.7).sum(),
        rises.std(),
        level.std(),
        periodic.max(),
        float(np.argmax(periodic)),
    ]
    return np.array([*shape, *(np.array(quarters[:8]) - level.mean()), *periodic[::8]])


@dataclass(frozen=True)
class Judge:
    """Names the class of sounds; ``classes`` in the order of its probabilities.

    ``trees`` is anything of scikit-learn's that gives probabilities.
    """

    classes: tuple[str, ...]
    trees: Any

    def ranks(self, features: Sequence[Features], names: Sequence[str]) -> NDArray[np.int64]:
        """Return for each sound the place (0 = best) of its true class."""
        rows = np.stack(features)
        order = (-self.trees.predict_proba(rows)).argsort(axis=1)
        wanted = np.array([self.classes.index(name) for name in names])
        places: NDArray[np.int64] = (order == wanted[:, None]).argmax(axis=1)
        return places


def train_judge(
    features: Sequence[Features], names: Sequence[str], seed: int, trees: int = TREES
) -> Judge:
    """Return a judge taught by these sounds and their classes."""
    from sklearn.ensemble import ExtraTreesClassifier  # noqa: PLC0415 - only evaluation needs it

    forest = ExtraTreesClassifier(
        trees, max_features=0.1, class_weight="balanced", random_state=seed
    ).fit(np.stack(features), names)
    return Judge(tuple(str(name) for name in forest.classes_), forest)


def train_probe(features: Sequence[Features], names: Sequence[str], seed: int) -> Judge:
    """Return a linear probe: multinomial logistic regression on standardised embeddings."""
    from sklearn.linear_model import LogisticRegression  # noqa: PLC0415
    from sklearn.pipeline import make_pipeline  # noqa: PLC0415
    from sklearn.preprocessing import StandardScaler  # noqa: PLC0415

    linear = LogisticRegression(
        C=PENALTY, class_weight="balanced", max_iter=2000, random_state=seed
    )
    probe = make_pipeline(StandardScaler(), linear).fit(np.stack(features), names)
    return Judge(tuple(str(name) for name in probe.classes_), probe)
