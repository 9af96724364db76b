"""Does a direction that the paper found show here, too? Computed from intervals, never by hand."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from engine.evaluation.bootstrap import Interval
from engine.evaluation.paper_tables import PaperTable

Outcome = Literal["shows", "other way", "open", "not measured"]
WORDS: Mapping[Outcome, str] = {
    "shows": "**shows**",
    "other way": "**the other way round**",
    "open": "not decided: intervals overlap",
    "not measured": "not measured",
}
SPANS_ZERO = "not decided: the interval holds 0"


@dataclass(frozen=True)
class Side:
    """A row of ours by the name that the page gives it, and its measure."""

    name: str
    measure: Interval | None


@dataclass(frozen=True)
class Verdict:
    """What one comparison says: the direction, our numbers, and the outcome in words."""

    outcome: Outcome
    direction: str
    ours: str
    words: str

    @property
    def cells(self) -> tuple[str, str, str]:
        """The line of a table."""
        return self.direction, self.ours, self.words


@dataclass(frozen=True)
class Finding:
    """Two numbers of the paper: ``first`` and ``second`` name them, ``what`` their measure."""

    what: str
    first: str
    second: str
    values: tuple[float, float]

    @property
    def is_higher(self) -> bool:
        """Whether the first is the higher."""
        return self.values[0] > self.values[1]


def finding(table: PaperTable, column: str, first: str, second: str) -> Finding:
    """Return two numbers of one column of a table; KeyError or ValueError for unknown names."""
    place = table.head.index(column)
    values = table.rows[first][place], table.rows[second][place]
    assert values[0] is not None
    assert values[1] is not None
    return Finding(column, first, second, (values[0], values[1]))


def judge(found: Finding, what: str, ours: tuple[Side, Side]) -> Verdict:
    """Return whether the paper's direction shows in our measure ``what`` of two rows."""
    outcome = outcome_of(found.is_higher, ours[0].measure, ours[1].measure)
    values = [published_number(value) for value in found.values]
    sign = ">" if found.is_higher else "<"
    direction = f"{found.what}: {found.first} ({values[0]}) {sign} {found.second} ({values[1]})"
    if outcome == "not measured":
        return Verdict(outcome, direction, "–", WORDS[outcome])
    here = "; ".join(f"{side.name}: {shown(side.measure)}" for side in ours)
    return Verdict(outcome, direction, f"{what}; {here}", WORDS[outcome])


def outcome_of(is_higher: bool, first: Interval | None, second: Interval | None) -> Outcome:
    """Return whether the first interval lies wholly above (or below) the second."""
    if first is None or second is None:
        return "not measured"
    if first.low > second.high:
        return "shows" if is_higher else "other way"
    if first.high < second.low:
        return "other way" if is_higher else "shows"
    return "open"


def against_zero(difference: Interval, direction: str, is_gain: bool) -> Verdict:
    """Return whether a difference is above zero (``is_gain``), or below."""
    outcome = outcome_of(is_gain, difference, Interval(0.0, 0.0, 0.0))
    words = SPANS_ZERO if outcome == "open" else WORDS[outcome]
    return Verdict(outcome, direction, f"difference {shown(difference)}", words)


def shown(of: Interval | None) -> str:
    """Return a value with its interval, all with as many digits as the largest needs."""
    if of is None:
        return "–"
    digits = digits_of(max(abs(bound) for bound in (of.value, of.low, of.high)))
    value, low, high = (_fixed(number, digits) for number in (of.value, of.low, of.high))
    return f"{value} ({low} to {high})"


def number(value: float) -> str:
    """Return a measured number with the digits that its size leaves room for."""
    return _fixed(value, digits_of(abs(value)))


def published_number(value: float) -> str:
    """Return a number of the paper as it is printed there."""
    return str(value) if isinstance(value, int) else f"{value:.3f}"


def digits_of(size: float) -> int:
    """Return the digits behind the point of a number of this size."""
    return next((digits for limit, digits in ((1, 3), (10, 2), (100, 1)) if size < limit), 0)


def _fixed(value: float, digits: int) -> str:
    return f"{round(value, digits) + 0.0:.{digits}f}"
