"""The bars that a starter pack is measured against, and which of them it reaches."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

LEAST_CLASSES = 30
LEAST_RATIO = 0.80
MOST_DISTANCE_RATIO = 1.5
MOST_BELOW = 0.05
LEAST_TIMES_CHANCE = {1: 5.0, 5: 4.0}
MOST_RESIDUAL_DB = -100.0
MOST_FINAL_S = 3.0
MOST_PREVIEW_S = 1.0
MOST_MEGABYTES = 40.0
LEAST_RATE_HZ = 22_050
JUDGES = ("judge", "aisfx")
ROWS = {"words": "words", "pictures": "unseen pictures"}
WHOSE = {"own": "its class", "others": "the mean of the others"}

Figures = Mapping[str, Any]
Side = Literal["at least", "at most"]
SIDES: dict[str, Side] = {"own": "at most", "others": "at least"}


@dataclass(frozen=True)
class Bar:
    """What is asked, what was measured (None: nothing), and the interval of that.

    ``why`` says why nothing was measured; ``unit`` follows the numbers.
    """

    what: str
    side: Side
    bar: float
    measured: float | None
    unit: str = ""
    low: float | None = None
    high: float | None = None
    why: str = ""

    @property
    def is_reached(self) -> bool | None:
        """Whether the measured value is on the right side; None if there is none."""
        if self.measured is None:
            return None
        over = self.measured - self.bar
        return over >= 0 if self.side == "at least" else over <= 0

    @property
    def outcome(self) -> str:
        """The outcome in words."""
        if self.measured is None:
            return f"not measured: {self.why}"
        if self.is_reached:
            return "reached"
        return f"missed by {abs(self.measured - self.bar):.3g}{self.unit}"


def bars(figures: Figures) -> list[Bar]:
    """Return every bar, in the order of the card."""
    return [
        *_naming(figures),
        *_distances(figures),
        *_copies(figures["copies"]),
        *_retrieval(figures["retrieval"]),
        *_stems(figures["muting"]),
        *_speed(figures["speed"]),
        *_size(figures["pack"]),
    ]


def _naming(figures: Figures) -> Iterator[Bar]:
    classes = figures["judges"]["judge"]["classes"]
    yield Bar("everyday classes that are judged", "at least", LEAST_CLASSES, classes)
    for judge in JUDGES:
        for row, words in ROWS.items():
            for top in (1, 5):
                what = f"named as often as real, from {words}: {judge}, top-{top}"
                of = figures["judges"].get(judge)
                found = of and of["naming"]["rows"].get(row, {}).get(f"ratio_{top}")
                why = "no sound, or no real one is named" if of else _why(figures, judge)
                yield _bar(what, "at least", LEAST_RATIO, found or None, why)


def _distances(figures: Figures) -> Iterator[Bar]:
    for judge in JUDGES:
        for row, words in ROWS.items():
            of = figures["judges"].get(judge)
            found = of and of["distance"].get(row, {}).get("ratio")
            what = f"Fréchet distance over that of training sounds, from {words}: {judge}"
            why = "too few sounds" if of else _why(figures, judge)
            yield _bar(what, "at most", MOST_DISTANCE_RATIO, found or None, why)


def _copies(found: Figures) -> Iterator[Bar]:
    near = {"tokens": "codec tokens", "judge": "judge"}
    for measure, words in near.items():
        what = f"nearer to training than 1 % of real sounds: {words}"
        below = {key: 100 * value for key, value in found[measure]["below"].items()}
        yield _bar(what, "at most", 100 * MOST_BELOW, below, "", " %")


def _retrieval(found: Figures) -> Iterator[Bar]:
    of = found.get("image_to_audio")
    for top, least in LEAST_TIMES_CHANCE.items():
        if not of:
            why = "no held-out sound names a picture"
            yield Bar(f"image to audio, R@{top} over chance", "at least", least, None, why=why)
            continue
        scale = of["count"] / top
        times = {key: scale * value for key, value in of[f"at_{top}"].items()}
        yield _bar(f"image to audio, R@{top} over chance", "at least", least, times, "")


def _stems(found: Figures) -> Iterator[Bar]:
    left = found["residual_db"]["highest"]
    yield Bar("sum of consistent stems less the mix", "at most", MOST_RESIDUAL_DB, left, " dB")
    for whose, side in SIDES.items():
        what = f"change of a judge's score by muting a source: {WHOSE[whose]}"
        points = {key: 100 * value for key, value in found["rendered"][whose].items()}
        yield _bar(what, side, 0.0, points, "", " points")


def _speed(found: Figures) -> Iterator[Bar]:
    where = f"{found['threads']} threads"
    final = f"{found['seconds']:g} s of sound, final, {where}"
    yield Bar(final, "at most", MOST_FINAL_S, found["final_s"], " s")
    preview = f"{found['seconds']:g} s of sound, preview, {where}"
    yield Bar(preview, "at most", MOST_PREVIEW_S, found["preview_s"], " s")


def _size(pack: Figures) -> Iterator[Bar]:
    yield Bar("weights", "at most", MOST_MEGABYTES, pack["megabytes"], " MB")
    yield Bar("sample rate of the model", "at least", LEAST_RATE_HZ, pack["sample_rate"], " Hz")


def _bar(what: str, side: Side, bar: float, found: Figures | None, why: str, unit: str = "") -> Bar:
    if found is None:
        return Bar(what, side, bar, None, unit, why=why)
    return Bar(what, side, bar, found["value"], unit, found["low"], found["high"])


def _why(figures: Figures, judge: str) -> str:
    return str(figures["not_measured"].get(judge, "this judge did not listen"))
