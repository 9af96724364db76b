"""What a training run tells as it goes: numbers by step, for people and for TensorBoard."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from osc_bridge.errors import PackageMissing

Journal = Callable[[int, Mapping[str, float]], None]
"""Takes a step and its numbers by name, e.g. ``loss``, ``rate``, ``held_out/loss``."""


def no_journal(step: int, numbers: Mapping[str, float]) -> None:
    """Forget the numbers; the default for callers that only want the weights."""


Journals = Callable[[str], Journal]
"""Gives the journal of one part of a stage by its name."""


def no_journals(_: str) -> Journal:
    """Return a journal that forgets."""
    return no_journal


@contextmanager
def tensorboard(folder: Path) -> Iterator[Journals]:
    """Write event files into ``folder``, a folder for each part.

    What a stopped run wrote after its checkpoint is hidden: a part's first step says where it goes
    on. PackageMissing names the cure where tensorboard is not installed.
    """
    try:
        from torch.utils.tensorboard import SummaryWriter  # noqa: PLC0415
    except ImportError as error:
        raise PackageMissing(
            "The package tensorboard is missing, which training logs need: "
            'pip install "wildtrack[train]", or set tensorboard = false in the configuration.'
        ) from error
    writers: dict[str, SummaryWriter] = {}

    def journal(name: str, step: int, numbers: Mapping[str, float]) -> None:
        if name not in writers:
            writers[name] = SummaryWriter(str(folder / name), purge_step=step)
        for tag, number in numbers.items():
            writers[name].add_scalar(tag, number, step)

    try:
        yield lambda name: partial(journal, name)
    finally:
        for writer in writers.values():
            writer.close()
