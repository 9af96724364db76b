"""The reader of any folder: sounds and videos, and all that is said of them there.

What is known of a sound comes from, first found first: tables (CSV, TSV, JSON, JSON lines) that
name it, a ``.json`` or ``.txt`` of its own name, its name by the Universal Category System, the
words of its name. A picture of the same stem belongs to it, and so does a video.
"""

from __future__ import annotations

import os
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from engine.training.data.items import Item, Library, class_name, library, split_name, words_of
from engine.training.data.shards import Bad
from engine.training.data.tables import Said, read_sidecar, read_table
from presets.naming import cat_ids

SOUNDS = frozenset(
    {".wav", ".flac", ".ogg", ".oga", ".opus", ".mp3", ".caf", ".w64", ".rf64"}
    | {".aif", ".aiff", ".aifc", ".au"}
)
PICTURES = frozenset({".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff", ".gif"})
VIDEOS = frozenset({".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi", ".mpg", ".mpeg"})
TABLES = frozenset({".csv", ".tsv", ".json", ".jsonl"})
_CAT_ID = re.compile(r"[A-Z]{2,6}[A-Za-z]?[a-z]{1,8}")


@dataclass
class Files:
    """The files of a folder by kind, and the ways to find one by what a table calls it."""

    root: Path
    of_kind: Mapping[str, list[Path]]
    _places: dict[str, list[Path]] = field(default_factory=lambda: defaultdict(list))

    def __post_init__(self) -> None:
        """Enter every media file by its path, its name and its stem."""
        for kind in ("sounds", "videos", "pictures"):
            for path in self.of_kind[kind]:
                for called in {str(self.name(path)), path.name, path.stem}:
                    self._places[f"{kind}:{called}"].append(path)

    def name(self, path: Path) -> str:
        """Return a file's path in the folder, with slashes."""
        return path.relative_to(self.root).as_posix()

    def find(self, called: str, table: Path | None, *kinds: str) -> Path | None:
        """Return the one file that is called so; a path counts from the table's folder or ours."""
        plain = called.replace("\\", "/").removeprefix("./")
        ways = [plain, plain.rsplit("/", maxsplit=1)[-1]]
        if table is not None:
            ways.insert(0, (table.parent.relative_to(self.root) / plain).as_posix())
        for way in ways:
            for kind in kinds:
                if len(found := self._places.get(f"{kind}:{way}", [])) == 1:
                    return found[0]
        return None


def scan(root: Path) -> Files:
    """Return every file below ``root``, in order; hidden ones and links to folders are left out."""
    kinds: dict[str, list[Path]] = {"sounds": [], "pictures": [], "videos": [], "tables": []}
    suffixes = {"sounds": SOUNDS, "pictures": PICTURES, "videos": VIDEOS, "tables": TABLES}
    for path in _walk(root):
        for kind, allowed in suffixes.items():
            if path.suffix.lower() in allowed:
                kinds[kind].append(path)
    return Files(root, kinds)


def read_folder(root: Path, licence: str = "") -> Library:
    """Return what any folder of sounds and videos holds; BadCorpus if it holds none."""
    files = scan(root)
    owners = {path.with_suffix("") for path in files.of_kind["sounds"] + files.of_kind["videos"]}
    tables = [path for path in files.of_kind["tables"] if path.with_suffix("") not in owners]
    said, missing = _read_tables(files, tables)
    items = [_item(files, path, said.get(path, Said(path.stem))) for path in _heard_files(files)]
    return library(items, missing, licence=licence)


def ucs(stem: str) -> Said | None:
    """Return what a name by the Universal Category System says; None for other names.

    ``CatID[-UserCategory]_FXName_CreatorID_SourceID[_UserData]``. A CatID that the table of
    presets does not list is taken by its shape, when all four fields are there.
    """
    fields = stem.split("_")
    cat_id = fields[0].split("-")[0]
    known = cat_ids().get(cat_id)
    if known is None and not (len(fields) >= 4 and _CAT_ID.fullmatch(cat_id)):
        return None
    if len(fields) < 2:
        return None
    group = f"{known.category} {known.subcategory}" if known else cat_id
    text = " ".join(filter(None, [words_of(fields[1]), group.lower() if known else ""]))
    package = "_".join(fields[2:4])
    return Said(stem, text=text, foley_class=class_name(group), package=package)


def _walk(root: Path) -> Iterator[Path]:
    for folder, folders, names in os.walk(root):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(names):
            path = Path(folder) / name
            if not name.startswith(".") and path.is_file():
                yield path


def _read_tables(files: Files, tables: Sequence[Path]) -> tuple[dict[Path, Said], list[Bad]]:
    said: dict[Path, Said] = {}
    missing = []
    for table in tables:
        try:
            rows = read_table(table)
        except (ValueError, OSError, RecursionError) as error:
            missing.append(Bad(files.name(table), f"The table cannot be read ({error})."))
            continue
        found = [files.find(row.file, table, "sounds", "videos") for row in rows]
        if rows and not any(found):
            missing.append(Bad(files.name(table), "It names no file of this folder."))
            continue
        for row, path in zip(rows, found, strict=True):
            if path is None:
                reason = "Named by the table, but there is no such file, or there are several."
                missing.append(Bad(f"{files.name(table)}: {row.file}", reason))
            else:
                said.setdefault(path, row)
    return said, missing


def _heard_files(files: Files) -> list[Path]:
    """Return videos, and sounds that no video of the same stem in the same folder goes with."""
    videos = {path.with_suffix("") for path in files.of_kind["videos"]}
    alone = [path for path in files.of_kind["sounds"] if path.with_suffix("") not in videos]
    return sorted(alone + files.of_kind["videos"])


def _item(files: Files, path: Path, row: Said) -> Item:
    beside = _beside(path)
    named = ucs(path.stem) or Said(path.stem)
    sources = (row, beside, named)

    def first(what: str) -> str:
        return next((text for said in sources if (text := getattr(said, what))), "")

    is_video = path.suffix.lower() in VIDEOS
    picture = files.find(row.image, None, "pictures") if row.image else None
    return Item(
        name=files.name(path),
        sound=_sound_of(path) if is_video else path,
        video=path if is_video else None,
        picture=None if is_video else picture or files.find(path.stem, None, "pictures"),
        text=first("text") or _label_words(first("foley_class")),
        foley_class=class_name(first("foley_class").split(",")[0]),
        split=split_name(first("split")),
        licence=first("licence"),
        package=first("package"),
    )


def _label_words(labels: str) -> str:
    """Return labels as words: "Strum,Electric_guitar" -> "strum, electric guitar"."""
    return ", ".join(label.strip() for label in labels.replace("_", " ").lower().split(","))


def _beside(path: Path) -> Said:
    for suffix in (".json", ".txt"):
        sidecar = path.with_suffix(suffix)
        if sidecar.is_file():
            try:
                return read_sidecar(sidecar)
            except (ValueError, OSError, RecursionError):
                continue
    return Said(path.stem)


def _sound_of(video: Path) -> Path | None:
    found = [video.with_suffix(suffix) for suffix in sorted(SOUNDS)]
    return next((path for path in found if path.is_file()), None)
