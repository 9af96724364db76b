"""A first sound from a fresh pack: it makes the next one fast, and shows that it sounds."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import numpy as np
import torch

from engine.cmss import SourceEmbedding, mix, source_semantics
from engine.memory import is_out_of_memory
from engine.steps import StepCallback, no_steps
from osc_bridge.errors import BadCheckpoint, WildtrackError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from engine.models.loading import LoadedPack

WARM_UP_S = 1.0


@torch.inference_mode()
def warm_up(pack: LoadedPack, on_step: StepCallback = no_steps) -> float:
    """Perceive, remix and decode one second that is kept nowhere; return the seconds it took.

    BadCheckpoint when the pack cannot: its networks do not fit each other, or give NaN.
    """
    begin_s = time.perf_counter()
    try:
        waves = _sound(pack, on_step)
    except Exception as error:
        if isinstance(error, WildtrackError) or is_out_of_memory(error):
            raise
        raise BadCheckpoint(
            f"The pack {pack.manifest.name} cannot be rendered with on {pack.device} "
            f"({type(error).__name__}: {str(error)[:80]}); start without --compile, with "
            "--precision fp32, or fetch the pack again."
        ) from error
    if not all(np.isfinite(wave).all() for wave in waves):
        raise BadCheckpoint(
            f"The pack {pack.manifest.name} gives NaN or infinity; its weights are damaged: "
            "fetch it again."
        )
    return time.perf_counter() - begin_s


def _sound(pack: LoadedPack, on_step: StepCallback) -> list[NDArray[np.float32]]:
    """Return what one source of words sounds like, by itself and as a mix."""
    source = SourceEmbedding("clip", pack.texts.encode(["warm-up"])[0])
    generator = torch.Generator().manual_seed(0)
    mixed = mix(pack.ssv2a, [source], generator=generator, on_step=on_step).a_mix
    alone = source_semantics(pack.ssv2a, [source])[0]
    return [pack.decoder.decode(a, WARM_UP_S, 0, "preview", on_step) for a in (alone, mixed)]
