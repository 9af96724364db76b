"""Tables that participants handed over, read with suspicion and joined with the key."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from engine.evaluation.listening_kit import KEY_COLUMNS, read_table
from engine.evaluation.listening_scores import Rating
from osc_bridge.errors import BadCorpus, FileMissing

COLUMNS = {"kit", "participant", "section", "question", "sample", "round", "rating", "played_s"}
MOST_BYTES = 5_000_000


@dataclass(frozen=True)
class Results:
    """All ratings, and what was left out, with the reason."""

    ratings: tuple[Rating, ...]
    left_out: tuple[str, ...]


@dataclass(frozen=True)
class _Known:
    kit: str
    item: str
    method: str


def read_key(path: Path) -> dict[tuple[str, str], _Known]:
    """Return what is behind each section and sample."""
    if not path.is_file():
        raise FileMissing(f"There is no key at {path}; it lies beside the folder of the survey.")
    rows = read_table(path)
    missing = set(KEY_COLUMNS) - set(rows[0] if rows else ())
    if missing:
        raise BadCorpus(f"{path} is no key: it has no columns {', '.join(sorted(missing))}.")
    return {
        (row["section"], row["sample"]): _Known(row["kit"], row["item"], row["method"])
        for row in rows
    }


def read_results(paths: Sequence[Path], key: Path) -> Results:
    """Return the ratings in tables (or folders of tables); bad tables and lines are listed."""
    known = read_key(key)
    ratings: dict[tuple[str, str, str, int], Rating] = {}
    left_out: list[str] = []
    for path in _tables(paths):
        if path.resolve() == key.resolve():
            continue
        for name, outcome in _lines(path, known):
            if isinstance(outcome, str):
                left_out.append(f"{name}: {outcome}")
                continue
            place = (outcome.rater, outcome.section, outcome.sample, outcome.round)
            if ratings.setdefault(place, outcome) != outcome:
                left_out.append(f"{name}: the same sample was rated otherwise before")
    if not ratings:
        reason = f" The first: {left_out[0]}." if left_out else ""
        raise BadCorpus(f"There is no rating that fits the key {key}.{reason}")
    return Results(tuple(ratings.values()), tuple(left_out))


def _tables(paths: Sequence[Path]) -> list[Path]:
    found: list[Path] = []
    for path in paths:
        if not path.exists():
            raise FileMissing(f"There is no table of results at {path}.")
        found += sorted(path.glob("*.csv")) if path.is_dir() else [path]
    return found


def _lines(path: Path, known: dict[tuple[str, str], _Known]) -> Iterable[tuple[str, Rating | str]]:
    """Yield for each line where it stands, and the rating or why it is left out."""
    if path.stat().st_size > MOST_BYTES:
        yield path.name, f"{path.stat().st_size} bytes, at most {MOST_BYTES} are read"
        return
    try:
        rows = list(csv.DictReader(path.read_text(encoding="utf-8-sig").splitlines()))
    except (UnicodeDecodeError, csv.Error) as error:
        yield path.name, f"no table ({error})"
        return
    missing = COLUMNS - set(rows[0] if rows else ())
    if missing:
        yield path.name, f"no columns {', '.join(sorted(missing))}"
        return
    for number, row in enumerate(rows, start=2):
        yield f"{path.name}, line {number}", _rating(row, known)


def _rating(row: dict[str, str], known: dict[tuple[str, str], _Known]) -> Rating | str:
    behind = known.get((row["section"], row["sample"]))
    if behind is None or behind.kit != row["kit"]:
        return f"sample {str(row['sample'])[:40]!r} is not of this kit"
    try:
        rating, round_, played = int(row["rating"]), int(row["round"]), float(row["played_s"])
    except (TypeError, ValueError):
        return "rating, round or played_s is no number"
    if rating not in range(1, 6) or round_ not in (1, 2) or not 0 <= played < 86_400:
        return f"rating {rating} (1 to 5), round {round_} (1 or 2) or {played:g} s out of range"
    if not row["participant"]:
        return "no participant"
    return Rating(
        rater=row["participant"][:64],
        section=row["section"],
        item=behind.item,
        sample=row["sample"],
        method=behind.method,
        round=round_,
        rating=rating,
        played_s=played,
    )
