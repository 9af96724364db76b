"""A first sound from a fresh pack: it makes the next one fast, and shows that it sounds."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import numpy as np
import torch

from engine.cmss import SourceEmbedding, mix, source_semantics
from engine.steps import StepCallback, no_steps
from osc_bridge.errors import BadCheckpoint

if TYPE_CHECKING:
    from engine.models.loading import LoadedPack

WARM_UP_S = 1.0


@torch.inference_mode()
def warm_up(pack: LoadedPack, on_step: StepCallback = no_steps) -> float:
    """Perceive, remix and decode one second that is kept nowhere; return the seconds it took.

    BadCheckpoint when it is not finite.
    """
    begin_s = time.perf_counter()
    source = SourceEmbedding("clip", pack.texts.encode(["warm-up"])[0])
    generator = torch.Generator().manual_seed(0)
    mixed = mix(pack.ssv2a, [source], generator=generator, on_step=on_step).a_mix
    for a in (source_semantics(pack.ssv2a, [source])[0], mixed):
        wave = pack.decoder.decode(a, WARM_UP_S, 0, "preview", on_step)
        if not np.isfinite(wave).all():
            raise BadCheckpoint(
                f"The pack {pack.manifest.name} gives NaN or infinity; its weights are damaged: "
                "fetch it again."
            )
    return time.perf_counter() - begin_s
