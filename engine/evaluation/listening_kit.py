"""A listening survey as a folder: a page with blind samples to hand out, and a key to keep.

As in the paper's A.5: consent first, then fidelity with a short tag and no picture, then relevance
with the picture, 1 to 5 each. Samples bear drawn names, one loudness, one rate and one length;
which method made which is in ``key.csv`` alone, outside the folder that is handed out.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
import random
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
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
MOST_BYTES = 5_000_000


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
    rows = read_table(path)
    missing = {"item", "tag"} - set(rows[0] if rows else ())
    if missing:
        raise BadCorpus(
            f"{path} has no columns {', '.join(sorted(missing))}, or no rows; its first line is "
            f"{','.join(COLUMNS)}, with commas."
        )
    names = [row["item"] for row in rows]
    if len(set(names)) != len(names):
        raise BadCorpus(f"{path} names an item twice; each needs a name of its own.")
    if not all(row["item"] and row["tag"] for row in rows):
        raise BadCorpus(f"{path} has a row without item or tag; write both, or remove the row.")
    images = [row.get("image") or "" for row in rows]
    return [
        Item(row["item"], row["tag"], path.parent / image if image else None)
        for row, image in zip(rows, images, strict=True)
    ]


def read_table(path: Path) -> list[dict[str, str]]:
    """Return the rows of a CSV, also of one that a spreadsheet saved; BadCorpus if it is none."""
    if path.stat().st_size > MOST_BYTES:
        raise BadCorpus(f"{path} has more than {MOST_BYTES} bytes, the most that are read.")
    try:
        return list(csv.DictReader(io.StringIO(path.read_text(encoding="utf-8-sig"), newline="")))
    except (UnicodeDecodeError, csv.Error) as error:
        raise BadCorpus(f"{path} is no CSV in UTF-8 ({error}); save it as such.") from error


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
    """Write the kit into the new folder ``out``, whole or not at all; return the page.

    Every method must have every item: a missing one would tell which method it is.
    """
    if len(methods) < 2 or not items:
        raise BadCorpus(
            f"There are {len(methods)} methods and {len(items)} items; a comparison needs at "
            "least 2 methods and 1 item."
        )
    if out.exists() and any(out.iterdir()):
        raise BadCorpus(f"{out} is not empty; name a new folder: keys of two kits must not mix.")
    shared = share_out(items, design)
    entries = _entries(shared, list(methods), _digest(items, methods, design))
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=out.parent, prefix=".kit-") as folder:
        new = Path(folder) / "new"
        _write_kit(entries, methods, design, new, on_step)
        if out.exists():
            out.rmdir()
        new.rename(out)
    return out / PUBLIC / "index.html"


def _write_kit(
    entries: Sequence[_Entry],
    methods: Mapping[str, Outputs],
    design: Design,
    folder: Path,
    on_step: StepCallback,
) -> None:
    public = folder / PUBLIC
    (public / "audio").mkdir(parents=True)
    (public / "images").mkdir()
    for number, entry in enumerate(entries, start=1):
        _write_sounds(entry, methods, design.seconds, public / "audio")
        if entry.section == "relevance":
            _write_picture(entry, public / "images")
        on_step(number, len(entries))
    kit = f"k{entries[0].question}"
    write_whole(folder / KEY, _key(kit, entries).encode())
    write_whole(public / "index.html", survey_page(_page(kit, entries, design)).encode())


def _digest(items: Sequence[Item], methods: Mapping[str, Outputs], design: Design) -> str:
    """Return what tells this kit from every other: of other sounds, items or questions."""
    sounds = {
        name: [hashlib.sha256(outputs.path(item.name).read_bytes()).hexdigest() for item in items]
        for name, outputs in methods.items()
    }
    told = [[item.name, item.tag, str(item.image)] for item in items]
    known = json.dumps([told, sounds, asdict(design)])
    return hashlib.sha256(known.encode()).hexdigest()


def _entries(
    sections: Mapping[str, Sequence[Item]], methods: Sequence[str], digest: str
) -> list[_Entry]:
    """Return the questions under drawn names; a spreadsheet takes none for a number."""
    names = random.Random(digest)  # noqa: S311 - blind, not secret
    entries = []
    for section, items in sections.items():
        for item in items:
            question = f"q{names.getrandbits(48):012x}"
            samples = {method: f"s{names.getrandbits(48):012x}" for method in methods}
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
                entry.item.tag if name == "fidelity" else "",
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
