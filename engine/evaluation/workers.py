"""Work on many sounds at once: one thread of torch each, results in order."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TypeVar

import torch

from engine.steps import StepCallback

MOST = 8
"""Workers, at most: each holds the intermediate results of one sound."""

_Given = TypeVar("_Given")
_Made = TypeVar("_Made")


def cores() -> int:
    """Return how many processor cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


@contextmanager
def torch_threads(count: int) -> Iterator[None]:
    """Let each call of torch compute on ``count`` threads, and on as many as before afterwards."""
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def in_parallel(
    work: Callable[[_Given], _Made], given: Sequence[_Given], on_step: StepCallback
) -> list[_Made]:
    """Return what ``work`` makes of each, in order; gradients are off.

    Each call computes on one thread, so that the number of cores changes no bit of a result.
    ``on_step`` is called here, not in a worker; what it or ``work`` raises ends all of it as soon
    as those that are under way are done.
    """

    def without_gradients(one: _Given) -> _Made:
        with torch.inference_mode():
            return work(one)

    with torch_threads(1), ThreadPoolExecutor(min(cores(), MOST)) as pool:
        futures = [pool.submit(without_gradients, one) for one in given]
        try:
            made = []
            for step, future in enumerate(futures, start=1):
                made.append(future.result())
                on_step(step, len(futures))
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise
    return made
