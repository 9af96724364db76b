"""Which samples of the train split validate instead: whole packages where there are enough."""

from __future__ import annotations

import zlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from engine.training.data.prepared import PreparedData, Selection
from engine.training.data.samples import KINDS, Kind
from engine.training.settings import RunTable
from osc_bridge.errors import BadCorpus

ENOUGH_PACKAGES = 20
LEAST_SAMPLES = 4


@dataclass(frozen=True)
class Parts:
    """What is learned from and what validates; ``held`` and ``learned`` share no sample."""

    learned: Selection
    held: Selection


def parted(
    data: PreparedData,
    run: RunTable,
    kinds: Sequence[Kind] = KINDS,
    needs: Sequence[str] = ("clap",),
) -> Parts:
    """Divide the train split's pairs; BadCorpus if there are too few samples to hold some out."""
    chosen = data.select("train", kinds, published=run.published, needs=needs)
    held = held_rows(chosen, run.held_out)
    mask = np.isin(chosen.pairs[:, 0], sorted(held))
    return Parts(chosen.keep(~mask), chosen.keep(mask))


def parted_if_any(
    data: PreparedData, run: RunTable, kinds: Sequence[Kind], needs: Sequence[str]
) -> Parts | None:
    """Return the parts, or None where the data has nothing of this sort."""
    wanted = any(
        data.facts(row).split == "train" and all(data.has(row, name) for name in needs)
        for row in range(len(data))
    )
    return parted(data, run, kinds, needs) if wanted else None


def audible(data: PreparedData, run: RunTable) -> Parts | None:
    """Return the parts of the pairs whose sounds can be added up, or None where none has mels."""
    return parted_if_any(data, run, KINDS, ("clap", "mel"))


def of_kinds(selection: Selection, kinds: Sequence[Kind]) -> Selection | None:
    """Return the pairs of these kinds, or None if there are none."""
    mask = np.array(
        [selection.data.facts(row).kinds[view] in kinds for row, view in selection.pairs.tolist()]
    )
    return selection.keep(mask) if mask.any() else None


def held_rows(selection: Selection, share: float) -> set[int]:
    """Return about ``share`` of the samples: by package, so that no recording is on both sides.

    Where there are fewer than 20 packages, single samples are taken. Names decide, not order.
    """
    rows = [int(row) for row in selection.rows]
    if len(rows) < LEAST_SAMPLES:
        raise BadCorpus(
            f"The data has {len(rows)} samples to learn from and to validate with; "
            f"at least {LEAST_SAMPLES} are needed: prepare more data."
        )
    facts = {row: selection.data.facts(row) for row in rows}
    packages = {row: facts[row].package for row in rows}
    wanted = max(1, round(share * len(rows)))
    if len(set(packages.values())) >= ENOUGH_PACKAGES:
        taken = _fill(Counter(packages.values()), wanted)
        if taken:
            return {row for row in rows if packages[row] in taken}
    names = _fill(Counter(fact.name for fact in facts.values()), wanted)
    return {row for row in rows if facts[row].name in names}


def _fill(sizes: Counter[str], wanted: int) -> set[str]:
    """Return keys whose sizes add up to about ``wanted``, in an order that their hashes give."""
    taken: set[str] = set()
    total = 0
    for key in sorted(sizes, key=lambda key: (zlib.crc32(key.encode()), key)):
        if total >= wanted:
            break
        if total + sizes[key] <= 1.5 * wanted:
            taken.add(key)
            total += sizes[key]
    return taken
