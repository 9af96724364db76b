"""Pieces of the page of ``wildtrack evaluate --paper``: tables, sections, sentences."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import stdev
from typing import Any, Literal

from engine.evaluation.bootstrap import Interval
from engine.evaluation.paper_tables import PaperTable
from engine.evaluation.paper_verdicts import Outcome, Verdict, published_number

Found = Mapping[str, Any]
FALLING = ("FAD", "top-", "Fréchet")
T_QUANTILES = {2: 12.706, 3: 4.303, 4: 3.182, 5: 2.776, 6: 2.571, 7: 2.447, 8: 2.365}
NORMAL_QUANTILE = 2.31  # of 9 seeds; a little too wide for more
TOLD: Mapping[Outcome, str] = {
    "shows": "show here",
    "other way": "go the other way round",
    "open": "are not decided",
    "not measured": "are not measured",
}


@dataclass(frozen=True)
class Section:
    """One table of the paper, ours, and what the pair says.

    ``lead`` says what is measured here; ``theirs`` and ``ours`` are Markdown.
    """

    title: str
    lead: str
    theirs: str
    ours: str
    verdicts: Sequence[Verdict] = ()

    def markdown(self) -> str:
        """Return the section."""
        parts = [f"## {self.title}\n", f"{self.lead}\n"]
        if self.theirs:
            parts += ["**The paper:**\n", self.theirs]
            parts += ["**Ours**, with other data and other judges:\n"]
        parts.append(self.ours)
        if self.verdicts:
            parts += [f"**What the pair says:** {summary(self.verdicts)}\n"]
            parts.append(said(self.verdicts))
        return "\n".join(parts)


def said(verdicts: Sequence[Verdict]) -> str:
    """Return comparisons as a table."""
    return table(["direction", "ours", "here"], [v.cells for v in verdicts], "left")


def summary(verdicts: Sequence[Verdict]) -> str:
    """Return one sentence on how many directions show."""
    counts = Counter(verdict.outcome for verdict in verdicts)
    parts = [f"{counts[outcome]} {words}" for outcome, words in TOLD.items() if counts[outcome]]
    many = len(verdicts)
    of = f"of {many} directions" if many > 1 else "the one direction:"
    return f"{of} {_listed(parts)}."


def _listed(parts: Sequence[str]) -> str:
    return " and ".join(filter(None, [", ".join(parts[:-1]), parts[-1]]))


def table(
    head: Sequence[str], rows: Iterable[Sequence[str]], align: Literal["left", "right"] = "right"
) -> str:
    """Return a Markdown table, with a line break behind; numbers want ``align`` right."""
    marks = ["---", *(["---" if align == "left" else "---:"] * (len(head) - 1))]
    lines = [head, marks, *rows]
    return "".join(f"| {' | '.join(cells)} |\n" for cells in lines)


def bullets(lines: Iterable[str]) -> str:
    """Return a list, with a line break behind."""
    return "".join(f"- {line}\n" for line in lines)


def published(of: PaperTable, first: str = "method") -> str:
    """Return a table of the paper as it is there."""
    head = [first, *(f"{name} {arrow(name)}" for name in of.head)]
    rows = [[name, *(_cell(score) for score in scores)] for name, scores in of.rows.items()]
    return table(head, rows)


def arrow(name: str) -> str:
    """Return whether a column's numbers fall or rise with quality."""
    return "↓" if any(part in name for part in FALLING) else "↑"


def interval(of: Found | None) -> Interval | None:
    """Return a measure from JSON, or None if there is none."""
    if of is None or of.get("value") is None:
        return None
    return Interval(of["value"], of["low"], of["high"])


def sure(of: Found) -> Interval:
    """Return a measure from JSON that must be there."""
    found = interval(of)
    assert found is not None
    return found


def over_seeds(of: Found | None) -> Interval | None:
    """Return mean and 95 % t interval over seeds; None for one seed, whose spread nobody knows."""
    if of is None or len(of["seeds"]) < 2:
        return None
    count, mean = len(of["seeds"]), float(of["mean"])
    half = T_QUANTILES.get(count, NORMAL_QUANTILE) * stdev(of["seeds"]) / count**0.5
    return Interval(mean, mean - half, mean + half)


def not_measured(why: str) -> str:
    """Return the line that stands where a table of ours would."""
    return f"Not measured: {why}\n"


def _cell(score: float | None) -> str:
    return "–" if score is None else published_number(score)
