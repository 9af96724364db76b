"""A listening survey as a folder: a page with blind samples to hand out, and a key to keep.

As in the paper's A.5: consent first, then fidelity with a short tag and no picture, then relevance
with the picture, 1 to 5 each. Samples bear drawn names, one loudness, one rate and one length;
which method made which is in ``key.csv`` alone, outside the folder that is handed out.
"""

from __future__ import annotations

import csv
import io
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile

from engine.evaluation import loudness
from engine.evaluation.listening_page import Page, Question, Section, survey_page
from engine.evaluation.outputs import Outputs, fit
from engine.perception.frames import load_frame
from engine.steps import StepCallback
from osc_bridge.errors import BadCorpus, FileMissing
from presets.files import write_whole

COLUMNS = ("item", "tag", "image")
KEY_COLUMNS = ("kit", "section", "item", "question", "sample", "method")
PUBLIC = "survey"
KEY = "key.csv"
PICTURE_SIDE = 1280


@dataclass(frozen=True)
class Item:
    """One thing to be judged: what should be heard, in a few words, and the picture or None."""

    name: str
    tag: str
    image: Path | None


@dataclass(frozen=True)
class Design:
    """What a participant is asked: questions of each section, how many are asked twice."""

    title: str = "Listening test"
    fidelity: int = 20
    relevance: int = 20
    repeats: int = 3
    seconds: float = 10.0
    seed: int = 1


@dataclass(frozen=True)
class _Entry:
    section: str
    item: Item
    question: str
    samples: Mapping[str, str]


def read_items(path: Path) -> list[Item]:
    """Return the items of a table with columns item, tag, image; paths relative to the table."""
    if not path.is_file():
        raise FileMissing(f"There is no table of items at {path}; it has columns item, tag, image.")
    with path.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    missing = {"item", "tag"} - set(rows[0] if rows else ())
    if missing:
        raise BadCorpus(f"{path} has no columns {', '.join(sorted(missing))}, or no rows.")
    names = [row["item"] for row in rows]
    if len(set(names)) != len(names):
        raise BadCorpus(f"{path} names an item twice; each needs a name of its own.")
    images = [row.get("image") or "" for row in rows]
    return [
        Item(row["item"], row["tag"], path.parent / image if image else None)
        for row, image in zip(rows, images, strict=True)
    ]


def share_out(items: Sequence[Item], design: Design) -> dict[str, list[Item]]:
    """Return the items of each section, drawn by the seed: apart where there are enough.

    Relevance is asked only of items with a picture.
    """
    drawn = random.Random(design.seed)  # noqa: S311 - a fair draw, not a secret
    order = drawn.sample(list(items), len(items))
    pictured = [item for item in order if item.image is not None]
    relevance = pictured[: design.relevance] if design.fidelity else pictured
    relevance = relevance if design.relevance else []
    rest = [item for item in order if item not in relevance]
    fidelity = rest if len(rest) >= design.fidelity else order
    return {"fidelity": fidelity if design.fidelity else [], "relevance": relevance}


def make(
    items: Sequence[Item],
    methods: Mapping[str, Outputs],
    design: Design,
    out: Path,
    on_step: StepCallback,
) -> Path:
    """Write the kit into the new folder ``out``; return the page.

    Every method must have every item: a missing one would tell which method it is.
    """
    if len(methods) < 2 or not items:
        raise BadCorpus(
            f"There are {len(methods)} methods and {len(items)} items; a comparison needs at "
            "least 2 methods and 1 item."
        )
    if out.exists() and any(out.iterdir()):
        raise BadCorpus(f"{out} is not empty; name a new folder: keys of two kits must not mix.")
    _require_all(items, methods)
    entries = _entries(share_out(items, design), list(methods), design.seed)
    public = out / PUBLIC
    (public / "audio").mkdir(parents=True)
    (public / "images").mkdir()
    for number, entry in enumerate(entries, start=1):
        _write_sounds(entry, methods, design.seconds, public / "audio")
        if entry.section == "relevance":
            _write_picture(entry, public / "images")
        on_step(number, len(entries))
    kit = f"{design.seed:08x}{entries[0].question}"[:16]
    write_whole(out / KEY, _key(kit, entries).encode())
    write_whole(public / "index.html", survey_page(_page(kit, entries, design)).encode())
    return public / "index.html"


def _require_all(items: Sequence[Item], methods: Mapping[str, Outputs]) -> None:
    for outputs in methods.values():
        for item in items:
            outputs.path(item.name)


def _entries(
    sections: Mapping[str, Sequence[Item]], methods: Sequence[str], seed: int
) -> list[_Entry]:
    names = random.Random(f"names {seed}")  # noqa: S311 - blind, not secret
    entries = []
    for section, items in sections.items():
        for item in items:
            question = f"{names.getrandbits(48):012x}"
            samples = {method: f"{names.getrandbits(48):012x}" for method in methods}
            entries.append(_Entry(section, item, question, samples))
    if not entries:
        raise BadCorpus("No question is left: relevance needs items with a picture.")
    return entries


def _write_sounds(
    entry: _Entry, methods: Mapping[str, Outputs], seconds: float, folder: Path
) -> None:
    waves = [outputs.wave(entry.item.name, loudness.RATE) for outputs in methods.values()]
    longest = min(round(seconds * loudness.RATE), max(len(wave) for wave in waves))
    even = loudness.match([fit(wave, longest) for wave in waves])
    for method, wave in zip(methods, even, strict=True):
        buffer = io.BytesIO()
        samples = np.clip(np.round(wave * 32767), -32768, 32767).astype(np.int16)
        soundfile.write(buffer, samples, loudness.RATE, format="FLAC", subtype="PCM_16")
        write_whole(folder / f"{entry.samples[method]}.flac", buffer.getvalue())


def _write_picture(entry: _Entry, folder: Path) -> None:
    """Write the picture anew: smaller, on white, without what the file tells of its origin."""
    from PIL import Image  # noqa: PLC0415

    assert entry.item.image is not None
    frame = load_frame(entry.item.image).convert("RGBA")
    frame.thumbnail((PICTURE_SIDE, PICTURE_SIDE))
    ground = Image.new("RGBA", frame.size, "white")
    buffer = io.BytesIO()
    Image.alpha_composite(ground, frame).convert("RGB").save(buffer, "JPEG", quality=90)
    write_whole(folder / f"{entry.question}.jpg", buffer.getvalue())


def _page(kit: str, entries: Sequence[_Entry], design: Design) -> Page:
    asked = {"fidelity": design.fidelity, "relevance": design.relevance}
    sections = []
    for name in ("fidelity", "relevance"):
        questions = tuple(
            Question(
                entry.question,
                entry.item.tag,
                tuple(sorted(entry.samples.values())),
                f"images/{entry.question}.jpg" if name == "relevance" else "",
            )
            for entry in entries
            if entry.section == name
        )
        if questions:
            sections.append(Section(name, min(asked[name], len(questions)), questions))
    return Page(kit, design.title, tuple(sections), design.repeats)


def _key(kit: str, entries: Sequence[_Entry]) -> str:
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow(KEY_COLUMNS)
    for entry in entries:
        for method, sample in entry.samples.items():
            rows.writerow([kit, entry.section, entry.item.name, entry.question, sample, method])
    return text.getvalue()
