"""The Weighted Mean Absolute Offset (paper, Sec. 4.1): how far sound and picture drift apart.

Synchformer, which a user runs on the videos, says for each how likely each of its offsets is. Of
the k likeliest the absolute offsets, in seconds, are averaged with those probabilities as weights
(the weights add up to 1: the unit stays seconds, and k = 1 is the plain mean absolute offset);
then over the videos. Equal probabilities over 21 offsets from -2 to 2 s give 1.05 s: what a sound
has that knows nothing of the picture.
"""

from __future__ import annotations

import csv
import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from osc_bridge.errors import BadText, FileMissing, OutOfRange

Numbers = NDArray[np.float64]
PAPER_TOPS = (1, 5)
MAX_BYTES = 100_000_000
MAX_OFFSET_S = 60.0
SUM_TOLERANCE = 0.01
LONG_COLUMNS = {"name", "offset_s", "probability"}


@dataclass(frozen=True)
class Outputs:
    """Of one video: offsets (K,) in seconds and their probabilities (K,)."""

    offsets_s: Numbers
    probabilities: Numbers


def weighted_offset(of: Outputs, top: int) -> float:
    """Return the weighted absolute offset, in seconds, of the ``top`` likeliest offsets."""
    if not 1 <= top <= len(of.offsets_s):
        raise OutOfRange(
            f"The {top} likeliest of {len(of.offsets_s)} offsets: the allowed range is 1 to "
            f"{len(of.offsets_s)}; write more offsets a video into the file."
        )
    best = np.argsort(-of.probabilities, kind="stable")[:top]
    weights = of.probabilities[best]
    if weights.sum() <= 0:
        return float(np.abs(of.offsets_s[best]).mean())
    return float((weights * np.abs(of.offsets_s[best])).sum() / weights.sum())


def softmax(logits: Numbers) -> Numbers:
    """Return the probabilities (K,) of logits (K,)."""
    raised = np.exp(logits - logits.max())
    probabilities: Numbers = raised / raised.sum()
    return probabilities


def read_outputs(path: Path) -> dict[str, Outputs]:
    """Return the outputs of each video in a CSV, by name.

    Two layouts: ``name`` and one column for each offset, headed by its seconds (``-2.0``, ``-1.8``
    ...), with logits or with probabilities that add up to 1; or the columns ``name``, ``offset_s``
    and ``probability``, one line for each of a video's likeliest offsets. BadText says what is
    wrong.
    """
    head, rows = _read(path)
    if set(head) >= LONG_COLUMNS:
        return _long(path, rows)
    if head[:1] != ["name"] or len(head) < 2:
        raise BadText(
            f"{path.name} begins with the columns {', '.join(head)[:80]!r}; allowed are name and "
            "one column for each offset in seconds, or name, offset_s, probability."
        )
    offsets = np.array([_number(path, 1, cell, MAX_OFFSET_S) for cell in head[1:]])
    found = {}
    for line, row in enumerate(rows, start=2):
        values = np.array([_number(path, line, row[column], math.inf) for column in head[1:]])
        found[row["name"]] = Outputs(offsets, _probabilities(values))
    return found


def _read(path: Path) -> tuple[list[str], list[dict[str, str]]]:
    if not path.is_file():
        raise FileMissing(f"{path} is not a file; give the CSV of Synchformer's outputs.")
    if path.stat().st_size > MAX_BYTES:
        raise BadText(
            f"{path.name} has {path.stat().st_size} bytes; at most {MAX_BYTES} bytes are allowed."
        )
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            table = csv.DictReader(file, strict=True)
            rows = list(table)
    except (UnicodeDecodeError, csv.Error) as error:
        raise BadText(f"{path.name} is no CSV in UTF-8 ({error}); export it again.") from error
    if not rows:
        raise BadText(f"{path.name} has no rows; one line a video is needed.")
    return [name.strip() for name in table.fieldnames or ()], rows


def _long(path: Path, rows: Sequence[Mapping[str, str]]) -> dict[str, Outputs]:
    grouped: dict[str, list[tuple[float, float]]] = defaultdict(list)
    for line, row in enumerate(rows, start=2):
        offset = _number(path, line, row["offset_s"], MAX_OFFSET_S)
        probability = _number(path, line, row["probability"], 1.0)
        if probability < 0:
            raise BadText(
                f"{path.name}, line {line}: the probability {probability:g} is outside 0 to 1."
            )
        grouped[row["name"]].append((offset, probability))
    return {name: Outputs(*np.array(pairs).T) for name, pairs in grouped.items()}


def _number(path: Path, line: int, text: str | None, most: float) -> float:
    try:
        value = float(text or "")
    except ValueError:
        value = math.nan
    if not math.isfinite(value) or abs(value) > most:
        raise BadText(
            f"{path.name}, line {line}: {str(text)[:40]!r} is no number"
            + (f" of -{most:g} to {most:g}" if most < math.inf else "")
            + "; correct the table."
        )
    return value


def _probabilities(values: Numbers) -> Numbers:
    is_share = bool((values >= 0).all()) and abs(float(values.sum()) - 1) < SUM_TOLERANCE
    return values if is_share else softmax(values)
