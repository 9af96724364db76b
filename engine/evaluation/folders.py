"""The sounds of a folder, by name and class, and which of two folders belong together.

A folder with a ``sounds.csv`` is read as a corpus (docs/training-data.md): of it one split counts,
with its classes. In any other folder every sound counts, and the first sub-folder is its class.
"""

from __future__ import annotations

import csv
import os
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from osc_bridge.errors import BadCorpus, FileMissing

_WHOLE = [".wav", ".bwf", ".rf64", ".w64", ".aif", ".aiff", ".aifc", ".au", ".caf"]
_PACKED = [".flac", ".ogg", ".oga", ".opus", ".mp3"]
SOUND_SUFFIXES = frozenset([*_WHOLE, *_PACKED])
PICTURE_SUFFIXES = frozenset([".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff"])
CORPUS_TABLE = "sounds.csv"
MAX_FILES = 200_000
MAX_TABLE_BYTES = 100_000_000
SHOWN = 5


@dataclass(frozen=True)
class Sound:
    """A file, named by its path in the folder without the suffix; ``kind`` is its class or ""."""

    name: str
    path: Path
    kind: str = ""


@dataclass(frozen=True)
class Pair:
    """A generated and a real sound that belong together; ``pictures`` as the table names them."""

    generated: str
    reference: str
    kind: str = ""
    pictures: tuple[str, ...] = ()


def sounds_of(folder: Path, split: str) -> list[Sound]:
    """Return the sounds of a folder, sorted by name; of a corpus those of ``split``.

    Of the split ``train`` only those count that a licence lets into weights.
    """
    if (folder / CORPUS_TABLE).is_file():
        return _of_corpus(folder, split)
    found = [_sound(folder, path) for path in _files(folder, SOUND_SUFFIXES)]
    if not found:
        raise BadCorpus(
            f"{folder} holds no sound ({', '.join(sorted(SOUND_SUFFIXES))}); give a folder of "
            "sounds."
        )
    return found


def pictures_of(folder: Path) -> dict[str, Path]:
    """Return the pictures of a folder by name, which is the path in it without the suffix."""
    return {_name(folder, path): path for path in _files(folder, PICTURE_SUFFIXES)}


def by_name(generated: Sequence[Sound], reference: Sequence[Sound]) -> list[Pair]:
    """Pair sounds of equal name; where folders differ, of equal file name if only one has it."""
    whole = {sound.name: sound for sound in reference}
    short = _unique(reference)
    own = _unique(generated)
    pairs = []
    for sound in generated:
        last = _last(sound.name)
        other = whole.get(sound.name) or (short.get(last) if last in own else None)
        if other is not None:
            pairs.append(Pair(sound.name, other.name, other.kind or sound.kind))
    return pairs


def by_table(
    table: Path, generated: Sequence[Sound], reference: Sequence[Sound]
) -> tuple[list[Pair], list[str]]:
    """Pair sounds as a CSV says, and return the lines that name a sound which is not there.

    Columns ``generated`` and ``reference`` (paths in their folders, with or without suffix), and,
    if there, ``class`` and ``picture`` (several with ``|`` between them).
    """
    first, second = _paths(generated), _paths(reference)
    pairs, missing = [], []
    for line, row in enumerate(_rows(table), start=2):
        ours, theirs = (_found(row[c], n) for c, n in (("generated", first), ("reference", second)))
        if ours is None or theirs is None:
            lost = row["generated"] if ours is None else row["reference"]
            missing.append(f"{table.name}, line {line}: {lost[:120]} is not in its folder")
            continue
        shown = tuple(part for part in (row.get("picture") or "").split("|") if part)
        kind = row.get("class") or theirs.kind or ours.kind
        pairs.append(Pair(ours.name, theirs.name, kind, shown))
    return pairs, missing


def pictures_for(name: str, pictures: Mapping[str, Path]) -> list[Path]:
    """Return the pictures of one sound: of its name, of ``NAME_...``, or in a folder ``NAME``."""
    return [
        path
        for other, path in pictures.items()
        if other == name or other.startswith((f"{name}_", f"{name}/"))
    ]


def named(names: Sequence[str]) -> str:
    """Return the first few of many names, for a sentence."""
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(name[:80] for name in names[:SHOWN]) + more


def _of_corpus(folder: Path, split: str) -> list[Sound]:
    from engine.training.corpus import read_clips  # noqa: PLC0415 - only a corpus needs it

    found = [
        Sound(_name(folder, clip.path), clip.path, clip.foley_class)
        for clip in read_clips(folder)
        if clip.split == split and (split != "train" or clip.trainable)
    ]
    if not found:
        raise BadCorpus(f"{folder / CORPUS_TABLE} has no sounds of the split {split}; add some.")
    return sorted(found, key=lambda sound: sound.name)


def _files(folder: Path, suffixes: frozenset[str]) -> list[Path]:
    if not folder.is_dir():
        raise FileMissing(f"{folder} is not a folder; give a folder of files.")
    found = []
    for path in _walk(folder):
        if path.suffix.lower() in suffixes:
            found.append(path)
        if len(found) > MAX_FILES:
            raise BadCorpus(f"{folder} holds more than {MAX_FILES} files; give a part of it.")
    return sorted(found, key=lambda path: _name(folder, path))


def _walk(folder: Path) -> Iterator[Path]:
    for base, folders, files in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        yield from (Path(base) / name for name in files if not name.startswith("."))


def _sound(folder: Path, path: Path) -> Sound:
    name = _name(folder, path)
    return Sound(name, path, name.split("/", maxsplit=1)[0] if "/" in name else "")


def _name(folder: Path, path: Path) -> str:
    return path.relative_to(folder).with_suffix("").as_posix()


def _last(name: str) -> str:
    return name.rsplit("/", maxsplit=1)[-1]


def _unique(sounds: Sequence[Sound]) -> dict[str, Sound]:
    """Return the sounds whose file name no other has, by it."""
    counts = Counter(_last(sound.name) for sound in sounds)
    return {_last(s.name): s for s in sounds if counts[_last(s.name)] == 1}


def _paths(sounds: Sequence[Sound]) -> dict[str, Sound]:
    return {key: sound for sound in sounds for key in (sound.name + sound.path.suffix, sound.name)}


def _found(cell: str, sounds: Mapping[str, Sound]) -> Sound | None:
    text = cell.strip().replace("\\", "/").removeprefix("./")
    return sounds.get(text)


def _rows(table: Path) -> list[dict[str, str]]:
    if not table.is_file():
        raise FileMissing(f"{table} is not a file; give a CSV of pairs.")
    if table.stat().st_size > MAX_TABLE_BYTES:
        raise BadCorpus(f"{table} is larger than {MAX_TABLE_BYTES} bytes; give a part of it.")
    try:
        with table.open(newline="", encoding="utf-8-sig") as file:
            rows = list(csv.DictReader(file, strict=True, restval=""))
    except (UnicodeDecodeError, csv.Error) as error:
        raise BadCorpus(f"{table} is no CSV in UTF-8 ({error}); export it again.") from error
    if not rows or not {"generated", "reference"} <= set(rows[0]):
        raise BadCorpus(
            f"{table} needs a header line with the columns generated and reference, and one line "
            "a pair; class and picture may follow."
        )
    return rows
