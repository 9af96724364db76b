"""What every method is given: samples of prepared data, as the pack saw, read and heard them."""

from __future__ import annotations

import re
import zlib
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np
import soundfile
import torch
from torch import Tensor

from engine.cmss import SourceEmbedding
from engine.evaluation.baselines import Condition, Method, Perceived, Sound, Studio
from engine.evaluation.prepared_inputs import rows_of
from engine.steps import StepCallback
from engine.training.data.batches import SLOTS
from engine.training.data.folder import PICTURES, SOUNDS, VIDEOS
from engine.training.data.items import Item, class_name, drawn
from engine.training.data.layouts import read_library
from engine.training.data.prepared import PreparedData
from engine.training.data.samples import Kind
from osc_bridge.errors import BadCorpus, EngineError, WildtrackError
from presets.files import remove_parts, writing_whole

READ: tuple[Kind, ...] = ("words", "translated", "clean", "curated")
"""What stands for a sound that has no picture, the first that there is."""
LONGEST_NAME = 100


@dataclass(frozen=True)
class Draw:
    """Which samples: of one split, ``most`` at most; a larger ``most`` adds to a smaller one.

    Their names alone decide, so that every method and every seed gets the same.
    """

    split: str = "test"
    most: int = 100

    def rows(
        self, data: PreparedData, is_fit: Callable[[int], bool] = lambda row: True
    ) -> list[int]:
        """Return the chosen ones of the fit samples, in the order of the data.

        BadCorpus for an empty split.
        """
        rows = [row for row in rows_of(data, self.split) if is_fit(row)]
        return sorted(sorted(rows, key=lambda row: drawn(data.facts(row).name))[: self.most])


def item_names(data: PreparedData, rows: Sequence[int]) -> list[str]:
    """Return a file name for each sample: ``CLASS/NAME``, or ``NAME`` where no class is known.

    NAME is the file's own, or its path where two are alike: methods that know no folders keep the
    sounds apart by it.
    """
    facts = [data.facts(row) for row in rows]
    own = [_plain(PurePosixPath(_bare(each.name)).name) for each in facts]
    counts = Counter(own)
    found: dict[str, str] = {}
    for each, short in zip(facts, own, strict=True):
        name = short if counts[short] == 1 else _plain(each.name)
        while name in found:
            name += "_"
        found[name] = class_name(each.foley_class)[:LONGEST_NAME]
    return [f"{kind}/{name}" if kind else name for name, kind in found.items()]


def _bare(name: str) -> str:
    """Return a name without the suffix of a sound, picture or video."""
    path = PurePosixPath(name)
    is_media = path.suffix.lower() in SOUNDS | PICTURES | VIDEOS
    return path.with_suffix("").as_posix() if is_media else name


def _plain(name: str) -> str:
    """Return what any file system takes as one name; names come from tables that anyone wrote."""
    return re.sub(r"[^\w() +-]+", "-", name)[-LONGEST_NAME:].strip(" -") or "sound"


def originals(
    folders: Sequence[Path], data: PreparedData, rows: Sequence[int]
) -> dict[str, Item | None]:
    """Return the files that each sample was prepared from, by `item_names`; FileMissing, BadCorpus.

    Without ``folders``, and where a file is missing, None.
    """
    names = [data.facts(row).name for row in rows]
    found: dict[str, Item] = {}
    for folder in folders:
        for layout in ("auto", "folder"):
            items = {item.name: item for item in read_library(folder, layout).items}
            if items.keys() & set(names):
                found |= items
                break
    if folders and not found:
        raise BadCorpus(
            f"{folders[0]} holds none of the {len(names)} samples, e.g. {names[0][:80]!r}: name "
            "with --library the folder that --data was prepared from."
        )
    return dict(zip(item_names(data, rows), map(found.get, names), strict=True))


def prepared_conditions(
    studio: Studio,
    data: PreparedData,
    rows: Sequence[int],
    seconds: float,
    library: Sequence[Path] = (),
) -> list[Condition]:
    """Return a condition for each of these samples, and let the studio know what it shows.

    That is the picture, whole and by its sources, or else the words. ``library`` are the folders
    of the real sounds themselves. BadCorpus if there is nothing to see or read.
    """
    found = []
    for row, (item, file) in zip(rows, originals(library, data, rows).items(), strict=True):
        condition = Condition(item, seconds, reference=(file.sound or file.video) if file else None)
        shown = perceived(data, row)
        if shown is not None:
            studio.known[condition] = shown
            found.append(condition)
    if not found:
        raise BadCorpus(
            f"None of {len(rows)} samples of {data.folder} has a picture or words; prepare the "
            "folder anew with pictures."
        )
    return found


def perceived(data: PreparedData, row: int) -> Perceived | None:
    """Return what a sample shows, or None: what was detected, else the whole, else its words."""
    frame = torch.from_numpy(data.array(row, "frame")) if data.has(row, "frame") else None
    seen = list(torch.from_numpy(data.array(row, "sources"))) if data.has(row, "sources") else []
    if not seen and frame is not None:
        seen = [frame]
    if not seen:
        seen = _read(data, row)
    if not seen:
        return None
    real = torch.from_numpy(data.array(row, "clap")) if data.has(row, "clap") else None
    return Perceived(tuple(SourceEmbedding("clip", each) for each in seen[:SLOTS]), frame, real)


def _read(data: PreparedData, row: int) -> list[Tensor]:
    """Return what stands for a sound that has no picture: one vector (clip_dim,), if any."""
    kinds = data.facts(row).kinds
    if not kinds:
        return []
    first = min(kinds, key=READ.index)
    return [torch.from_numpy(data.array(row, "clip")[kinds.index(first)])]


def render_all(
    method: Method, conditions: Sequence[Condition], out: Path, seed: int, on_step: StepCallback
) -> list[str]:
    """Write ``out/ITEM.wav`` for every condition; return those left out, with the reason.

    A sound that is there already is kept: a stopped run goes on. A sound depends on ``seed`` and
    its item, not on the other conditions.
    """
    out.mkdir(parents=True, exist_ok=True)
    left_out = []
    for number, condition in enumerate(conditions, start=1):
        path = out / f"{condition.item}.wav"
        try:
            if not path.exists():
                _ready(path.parent)
                write_sound(path, method.sound(condition, _seed(condition, seed)))
        except EngineError:
            raise
        except WildtrackError as error:
            left_out.append(f"{condition.item}: {error}")
        on_step(number, len(conditions))
    return left_out


def _ready(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    remove_parts(folder)


def _seed(condition: Condition, seed: int) -> int:
    return (seed + zlib.crc32(condition.item.encode())) % 2**31


def write_sound(path: Path, sound: Sound) -> None:
    """Write a mono WAV of 24 bits at the sound's own rate."""
    with writing_whole(path) as part:
        soundfile.write(part, np.clip(sound.wave, -1, 1), sound.rate_hz, subtype="PCM_24")
