"""Facts about files from tables: CSV, TSV, JSON and JSON lines, sidecars of one file each.

Column names differ from library to library; `_COLUMNS` lists those that are understood.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

MAX_TABLE_BYTES = 512 * 2**20
MAX_TEXT_CHARS = 1000
"""What the text encoder takes."""
_COLUMNS: Mapping[str, tuple[str, ...]] = {
    "file": (
        *("file", "filename", "file_name", "fname", "path", "filepath", "audio", "audio_path"),
        *("id", "audio_id", "youtube_id"),
    ),
    "text": ("text", "caption", "caption_1", "captions", "description", "title"),
    "foley_class": ("foley_class", "class", "label", "labels", "category", "tag"),
    "split": ("split", "subset", "set"),
    "licence": ("licence", "license"),
    "package": ("package", "library", "collection", "source", "uploader", "artist"),
    "image": ("image", "picture", "image_path", "frame"),
}


@dataclass(frozen=True)
class Said:
    """What a table says of one file; "" where it says nothing."""

    file: str
    text: str = ""
    foley_class: str = ""
    split: str = ""
    licence: str = ""
    package: str = ""
    image: str = ""


def read_table(path: Path) -> list[Said]:
    """Return the rows of a table that names files; none if it is no such table.

    A table that cannot be read raises ValueError (bad text, bad JSON) or OSError.
    """
    if path.stat().st_size > MAX_TABLE_BYTES:
        raise ValueError(f"more than {MAX_TABLE_BYTES} bytes")
    rows = _csv_rows(path) if path.suffix.lower() in (".csv", ".tsv") else _json_rows(path)
    return [said for row in rows if (said := _said(row)) and said.file]


def read_sidecar(path: Path) -> Said:
    """Return what a ``.txt`` or ``.json`` beside a sound says of it; ValueError, OSError."""
    if path.stat().st_size > MAX_TABLE_BYTES:
        raise ValueError(f"more than {MAX_TABLE_BYTES} bytes")
    text = path.read_text(encoding="utf-8-sig")
    if path.suffix.lower() == ".txt":
        lines = text.split("\n")
        return Said(path.stem, " ".join(lines[0].split())[:MAX_TEXT_CHARS])
    data = json.loads(text)
    flat = {**_mapping(data.get("original_data")), **data} if isinstance(data, dict) else {}
    return _said({**flat, "file": path.stem})


def _csv_rows(path: Path) -> Iterator[Mapping[str, Any]]:
    with path.open(newline="", encoding="utf-8-sig") as file:
        head = file.readline()
        file.seek(0)
        delimiter = max(",;\t", key=head.count)
        try:
            yield from csv.DictReader(file, delimiter=delimiter)
        except csv.Error as error:
            raise ValueError(str(error)) from error


def _json_rows(path: Path) -> Iterator[Mapping[str, Any]]:
    text = path.read_text(encoding="utf-8-sig")
    if path.suffix.lower() == ".jsonl":
        yield from (_mapping(json.loads(line)) for line in text.splitlines() if line.strip())
        return
    data = json.loads(text)
    rows = _inner_list(data) if isinstance(data, dict) else data
    if isinstance(rows, list):
        yield from map(_mapping, rows)
    elif isinstance(data, dict):
        for file, value in data.items():
            yield {**(value if isinstance(value, dict) else {"text": value}), "file": file}


def _inner_list(data: Mapping[str, Any]) -> list[Any] | None:
    """Return the rows of an object that holds them under one of its keys, as WavCaps does."""
    lists = [value for value in data.values() if isinstance(value, list) and value]
    return next((rows for rows in lists if all(isinstance(row, dict) for row in rows)), None)


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _said(row: Mapping[str, Any]) -> Said:
    lower = {str(key).strip().lower(): value for key, value in row.items() if key is not None}
    found = {
        field: next((text for name in names if (text := _text(lower.get(name)))), "")
        for field, names in _COLUMNS.items()
    }
    return Said(**found)


def _text(value: Any) -> str:
    """Return one line of text; of a list the first entry."""
    if isinstance(value, list):
        value = value[0] if value else ""
    return " ".join(str(value).split())[:MAX_TEXT_CHARS] if isinstance(value, str | int) else ""
