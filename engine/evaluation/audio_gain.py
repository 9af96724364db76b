"""How much audio conditioning gains by image-space semantics (paper A.7.2, stage ``audio2clip``).

Held-out scenes with sources that come as sound are mixed twice by the same weights: with zeros as
the CLIP half of such a source, as published, and with what the pack's translator makes of it. A
Remixer that learned with a translator misses it when it gets zeros, so the same weights flatter
the translator; one that learned without it is the fair rival, where there is one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

from engine.cmss import SSV2A
from engine.evaluation import frechet
from engine.evaluation.bootstrap import Bootstrap, of_mean
from engine.training.scenes import Scenes, tokens
from osc_bridge.errors import OutOfRange

LEAST_SCENES = 6
Values = NDArray[np.float64]


@dataclass(frozen=True)
class Heard:
    """What was mixed of S scenes: one number a scene by name, and the Fréchet distance of all."""

    each: Mapping[str, Values]
    frechet_embeddings: float

    def means(self, how: Bootstrap) -> dict[str, Any]:
        """Return every mean with its interval."""
        found: dict[str, Any] = {
            name: asdict(of_mean(values, how)) for name, values in self.each.items()
        }
        return {**found, "frechet_embeddings": self.frechet_embeddings}

    def gain_over(self, other: Heard, how: Bootstrap) -> dict[str, Any]:
        """Return the mean differences with intervals, scene by scene the same one drawn."""
        found: dict[str, Any] = {
            name: asdict(of_mean(values - other.each[name], how))
            for name, values in self.each.items()
        }
        change = self.frechet_embeddings - other.frechet_embeddings
        return {**found, "frechet_embeddings": change}


def audio_gain(
    model: SSV2A, scenes: Scenes, how: Bootstrap, plain: SSV2A | None = None
) -> dict[str, Any]:
    """Return cosine, retrieval of the true mix among all and Fréchet distance, and their gains.

    ``plain`` learned without a translator. Without a translator in ``model`` there is nothing to
    compare: then only ``zeros`` is there. OutOfRange for fewer than 6 scenes, or none with sound.
    """
    count, sources = len(scenes.targets), int(scenes.claps.any(dim=-1).sum())
    if count < LEAST_SCENES or not sources:
        raise OutOfRange(
            f"{count} scenes with {sources} sources that come as sound; at least {LEAST_SCENES} "
            "scenes and 1 such source are needed: give more held-out sounds."
        )
    zeros = mixed(model, scenes, is_translating=False)
    found = {
        "scenes": count,
        "heard_sources": sources,
        "chance": {"r_at_1": 1 / count, "r_at_5": min(1.0, 5 / count)},
        "has_translator": model.translator is not None,
        "zeros": zeros.means(how),
    }
    if model.translator is None:
        return found
    translated = mixed(model, scenes, is_translating=True)
    found |= {"translated": translated.means(how), "gain": translated.gain_over(zeros, how)}
    if plain is not None:
        rival = mixed(plain, scenes, is_translating=False)
        found["trained_without"] = rival.means(how)
        found["gain_over_trained_without"] = translated.gain_over(rival, how)
    return found


@torch.inference_mode()
def mixed(model: SSV2A, scenes: Scenes, is_translating: bool) -> Heard:
    """Return what the Remixer's mean (no Cycle Mix) is worth, scene by scene."""
    here = scenes.to(model.logit_scale.device)
    true = functional.normalize(here.targets, dim=-1)
    guess = functional.normalize(model.remixer(*tokens(model, here, is_translating)).mu, dim=-1)
    likeness = guess @ true.T
    own = likeness.diagonal()
    place = (likeness > own.unsqueeze(1)).sum(1)
    each = {"cosine": own, "r_at_1": place < 1, "r_at_5": place < 5}
    rows = [side.double().cpu().numpy() for side in (guess, true)]
    return Heard(
        {name: values.double().cpu().numpy() for name, values in each.items()},
        frechet.between(rows[0], rows[1]),
    )
