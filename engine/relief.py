"""Out of memory: free caches, then a smaller batch, then the CPU; each step said aloud.

Work is handed in as a function of a `Way`: the pack to compute with and the batch of the decoder.
A way that was too much is not tried again by the same job.
"""

from __future__ import annotations

import gc
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol, TypeVar

from engine.memory import free_caches, is_out_of_memory
from osc_bridge.errors import OutOfMemory

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from engine.models.loading import LoadedPack
    from engine.steps import StepCallback

T = TypeVar("T")

FULL_BATCH = 2
"""Both passes of the guidance at once."""

ReliefKind = Literal["smaller_batch", "to_cpu"]
ToldRelief = Callable[[ReliefKind, str], None]
"""(kind, sentence) of a step that was taken to get by with less memory."""


class Models(Protocol):
    """What a job needs of a model store (`engine.models.store.ModelStore`)."""

    def using(self, on_step: StepCallback = ...) -> AbstractContextManager[LoadedPack]:
        """Hold the current pack for the length of a block."""

    def on_cpu(self, pack: LoadedPack) -> LoadedPack:
        """Return the same pack on the CPU."""


@dataclass(frozen=True, eq=False)
class Way:
    """How to compute: the pack on its device, and how many passes of the decoder at once."""

    pack: LoadedPack
    batch: int = FULL_BATCH


def tell_nobody(kind: ReliefKind, sentence: str) -> None:
    """Say nothing."""


class Relief:
    """The way that a job computes, and what it falls back to when memory is short."""

    def __init__(self, pack: LoadedPack, models: Models, told: ToldRelief = tell_nobody) -> None:
        self.way = Way(pack)
        self._models = models
        self._told = told

    def run(self, work: Callable[[Way], T], *, batched: bool = False) -> T:
        """Return what ``work`` returns; OutOfMemory when the last way was too much, too.

        ``batched`` says that a smaller batch makes a difference to this work.
        """
        while True:
            try:
                return work(self.way)
            except Exception as error:
                if not is_out_of_memory(error):
                    raise
            gc.collect()
            free_caches()
            self._step_down(batched)

    def _step_down(self, batched: bool) -> None:
        """Choose the next way; the error that led here, and what it held, is gone by now."""
        device = self.way.pack.device
        if batched and self.way.batch > 1:
            self.way = Way(self.way.pack, 1)
            self._told(
                "smaller_batch",
                f"The memory of {device} is full: rendering goes on in smaller parts, which takes "
                "longer.",
            )
        elif device != "cpu":
            self.way = Way(self._models.on_cpu(self.way.pack), self.way.batch)
            self._told(
                "to_cpu",
                f"The memory of {device} is full: this render goes on on the CPU, which takes "
                "longer.",
            )
        else:
            raise OutOfMemory(
                "The memory of this machine is full, also for the smallest way of computing; close "
                "other programs, unload packs (model/unload), or make the scene shorter, then ask "
                "again: the scene is as it was."
            )
