"""What a training run tells as it goes: numbers by step, for people and for TensorBoard."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from osc_bridge.errors import PackageMissing

Journal = Callable[[int, Mapping[str, float]], None]
"""Takes a step and its numbers by name, e.g. ``loss``, ``rate``, ``held_out/loss``."""


def no_journal(step: int, numbers: Mapping[str, float]) -> None:
    """Forget the numbers; the default for callers that only want the weights."""


@contextmanager
def tensorboard(folder: Path, first_step: int) -> Iterator[Journal]:
    """Write event files into ``folder``; what a stopped run wrote after ``first_step`` is hidden.

    PackageMissing names the cure where tensorboard is not installed.
    """
    try:
        from torch.utils.tensorboard import SummaryWriter  # noqa: PLC0415
    except ImportError as error:
        raise PackageMissing(
            "The package tensorboard is missing, which training logs need: "
            'pip install "wildtrack[train]", or set tensorboard = false in the configuration.'
        ) from error
    writer = SummaryWriter(str(folder), purge_step=first_step + 1)

    def journal(step: int, numbers: Mapping[str, float]) -> None:
        for name, number in numbers.items():
            writer.add_scalar(name, number, step)

    try:
        yield journal
    finally:
        writer.close()
