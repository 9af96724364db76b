"""In which settings two takes differ, from their ``take.json``; both may be anybody's."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

VALUE_CHARACTERS = 100
WHAT_CHARACTERS = 100
SOURCES_MAX = 64

_SCENE = ("id", "name", "start_sample", "revision")
_TAKE = ("duration_samples", "stems_mode", "quality", "frame")
_PACK = ("name", "version", "digest", "device", "precision")
_SOURCE = (
    "kind", "label", "text", "media", "box", "weight", "gain_db", "pan", "mute", "solo", "seed",
    "start_sample", "duration_samples", "chain", "cat_id",
)  # fmt: skip


@dataclass(frozen=True)
class Difference:
    """One setting that differs; the text is empty where a take does not have it."""

    what: str
    in_a: str
    in_b: str


def differences(a: Mapping[str, Any], b: Mapping[str, Any]) -> list[Difference]:
    """Return what differs between two takes: scene, settings, pack, mix, then each source.

    Sources are matched by their ids. ``audio`` differs when the files' hashes do.
    """
    return [
        Difference(what[:WHAT_CHARACTERS], _shown(in_a), _shown(in_b))
        for what, in_a, in_b in _pairs(a, b)
        if _plain(in_a) != _plain(in_b)
    ]


def _pairs(a: Mapping[str, Any], b: Mapping[str, Any]) -> Iterator[tuple[str, Any, Any]]:
    """Yield every setting of one of them with its value in each."""
    of_a, of_b = _sources(a), _sources(b)
    yield from _fields("scene.", _SCENE, _table(a, "scene"), _table(b, "scene"))
    yield from _fields("", _TAKE, a, b)
    yield from _fields("pack.", _PACK, _table(a, "pack"), _table(b, "pack"))
    yield from _sound("mix.", _table(a, "mix"), _table(b, "mix"))
    yield "mix.seed", _table(a, "mix").get("seed"), _table(b, "mix").get("seed")
    both = [source for source in of_a if source in of_b]
    yield "order", both, [source for source in of_b if source in of_a]
    for source in dict.fromkeys((*of_a, *of_b)):
        if source in both:
            yield from _fields(f"{source}.", _SOURCE, of_a[source], of_b[source])
            yield from _sound(f"{source}.", of_a[source], of_b[source])
        else:
            yield source, _summary(of_a.get(source)), _summary(of_b.get(source))


def _fields(
    prefix: str, names: Sequence[str], a: Mapping[str, Any], b: Mapping[str, Any]
) -> Iterator[tuple[str, Any, Any]]:
    for name in names:
        yield prefix + name, a.get(name), b.get(name)


def _sound(
    prefix: str, a: Mapping[str, Any], b: Mapping[str, Any]
) -> Iterator[tuple[str, Any, Any]]:
    """Equal audio is equal bytes, which have equal hashes."""
    yield f"{prefix}audio", _hash(a), _hash(b)


def _hash(part: Mapping[str, Any]) -> str:
    return f"SHA-256 {_shown(part.get('sha256'))}"


def _summary(source: Mapping[str, Any] | None) -> str:
    """Return a source that only one take has, in a few words."""
    if source is None:
        return ""
    name = _shown(source.get("label")) or _shown(source.get("text"))
    return f"{_shown(source.get('kind'))} {name}".strip() or "a source"


def _table(document: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    table = document.get(name)
    return table if isinstance(table, dict) else {}


def _sources(document: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """Return the sources by their ids, in their order."""
    rows = document.get("sources")
    found = rows[:SOURCES_MAX] if isinstance(rows, list) else []
    return {_shown(row["id"]): row for row in found if isinstance(row, dict) and "id" in row}


def _shown(value: Any) -> str:
    """Return a value as short text that can be shown; tables and the like are foreign: "?"."""
    if isinstance(value, list):
        text = " ".join(_word(item) for item in value[:SOURCES_MAX])
    else:
        text = _word(value)
    shown = "".join(c if c.isprintable() else "?" for c in text[: VALUE_CHARACTERS + 1])
    return shown if len(shown) <= VALUE_CHARACTERS else f"{shown[: VALUE_CHARACTERS - 3]}..."


def _plain(value: Any) -> Any:
    """Return what to compare: a value, or a flat list of values; all else counts as equal."""
    if isinstance(value, list):
        return [_plain(item) if not isinstance(item, list) else "?" for item in value[:SOURCES_MAX]]
    return value if isinstance(value, str | int | float) or value is None else "?"


def _word(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return f"{value:g}"
    return str(value) if isinstance(value, str | int) else "?"
