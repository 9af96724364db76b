"""The figures of an evaluation as lines of a table, each with what to read it by."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

Row = tuple[str, str, str, str]
HEAD: Row = ("measure", "value", "interval", "read it by")
Found = Mapping[str, Any]


def rows(found: Found) -> list[Row]:
    """Return the lines of the table."""
    return [
        *_sounds(found),
        *(row for name, of in found["frechet"].items() for row in _distance(name, of)),
        *(row for name, of in found["labels"].items() for row in _labels(name, of)),
        *_pictures(found["pictures"]),
        *_offsets(found["offsets"]),
        *_copies(found["copies"]),
    ]


def class_rows(found: Found) -> list[tuple[str, ...]]:
    """Return a line for each class: its name, then a cell for each measure, first the heads."""
    columns = {name: of for name, of in _by_class(found) if of}
    if not columns:
        return []
    kinds = sorted({kind for of in columns.values() for kind in of})
    lines = [(kind, *(_cell(of.get(kind)) for of in columns.values())) for kind in kinds]
    return [("class", *columns), *lines]


def left_out(found: Found) -> Iterator[str]:
    """Yield a sentence for each file and each measure that was left out."""
    sides = [found[side] for side in ("generated", "reference", "training") if side in found]
    for side in sides:
        yield from (f"{bad['name']}: {bad['why']}" for bad in side["bad"])
    for of in found["labels"].values():
        yield from (f"{bad['name']}: {bad['why']}" for bad in of["bad"])
    if found["pictures"]:
        yield from (f"{bad['name']}: {bad['why']}" for bad in found["pictures"]["bad"])
    yield from found["pairs"]["missing"]
    yield from (f"not measured: {what}. {why}" for what, why in found["skipped"].items())


def _sounds(found: Found) -> Iterator[Row]:
    pairs = found["pairs"]
    for side in ("generated", "reference", "training"):
        if side in found:
            bad = len(found[side]["bad"])
            yield (f"{side} sounds", str(found[side]["sounds"]), "", f"{bad} bad" if bad else "")
    alone = len(pairs["unpaired"])
    yield ("pairs", str(pairs["count"]), "", f"{alone} unpaired" if alone else "")


def _distance(name: str, of: Found) -> Iterator[Row]:
    floor = f"by chance {of['floor']:.3g}" if of["floor"] is not None else ""
    yield (f"Fréchet distance, {name}", f"{of['value']:.4g}", _interval(of, ".4g"), floor)
    yield (f"  with endless sounds, {name}", f"{of['at_infinity']:.4g}", "", "")
    if of.get("ratio") is not None:
        by = f"training sounds {of['training']:.4g}; bar 1.5"
        yield (f"  over that of training sounds, {name}", f"{of['ratio']:.2f}", "", by)


def _labels(name: str, of: Found) -> Iterator[Row]:
    ssms = of["ssms"]
    if ssms:
        by = f"wrong pairs {ssms['labels'] * (ssms['wrong_pairs'] or 0):.2f}"
        scaled = {key: ssms["labels"] * ssms[key] for key in ("value", "low", "high")}
        title = f"SSMS of {ssms['labels']}, {name}, {ssms['classes']} labels"
        yield (title, f"{scaled['value']:.2f}", _interval(scaled, ".2f"), by)
    for top in ("top_1", "top_5"):
        yield from _named(name, of["recognition"], top)


def _named(name: str, of: Found | None, top: str) -> Iterator[Row]:
    if not of:
        return
    share, real = of["generated"][top], of["reference"][top]
    by = f"real sounds {100 * real['value']:.1f} %"
    percent = {key: 100 * share[key] for key in ("value", "low", "high")}
    first = top.replace("_", "-")
    yield (
        f"class named, {first}, {name}",
        f"{percent['value']:.1f} %",
        _interval(percent, ".1f"),
        by,
    )
    ratio = of[f"ratio_{top}"]
    if ratio:
        bar = "bar 0.80" if top == "top_1" else ""
        yield (
            f"  over real sounds, {first}, {name}",
            f"{ratio['value']:.2f}",
            _interval(ratio, ".2f"),
            bar,
        )


def _pictures(of: Found | None) -> Iterator[Row]:
    if of:
        by = [f"wrong pairs {of['wrong_pairs']:.2f}"] if of["wrong_pairs"] is not None else []
        by += [f"real sounds {of['reference']:.2f}"] if of["reference"] is not None else []
        title = f"CLIP-Score, {of['space']}"
        yield (title, f"{of['value']:.2f}", _interval(of, ".2f"), ", ".join(by))


def _offsets(of: Found | None) -> Iterator[Row]:
    for key, value in (of or {}).items():
        if key.startswith("top_"):
            top = key.split("_")[1]
            title = f"WMAO, top-{top}"
            yield (title, f"{value['value']:.3f} s", _interval(value, ".3f"), "by chance 1.05 s")


def _copies(of: Found | None) -> Iterator[Row]:
    if of:
        below = {key: 100 * of["below"][key] for key in ("value", "low", "high")}
        by = f"by chance 1 %; bar 5 %; threshold {of['threshold']:.3f}"
        yield ("near a training sound", f"{below['value']:.1f} %", _interval(below, ".1f"), by)
        by = f"real sounds {of['reference_median']:.3f}"
        yield ("  median distance", f"{of['generated_median']:.3f}", "", by)


def _by_class(found: Found) -> Iterator[tuple[str, Found]]:
    for name, of in found["frechet"].items():
        yield f"Fréchet, {name}", of.get("by_class", {})
    for name, of in found["labels"].items():
        if of["ssms"]:
            yield f"SSMS, {name}", of["ssms"]["by_class"]
        if of["recognition"]:
            shares = of["recognition"]["by_class"]
            for side in ("generated", "reference"):
                yield f"named, {side}, {name}", {kind: o[side] for kind, o in shares.items()}
    if found["pictures"]:
        yield "CLIP-Score", found["pictures"]["by_class"]


def _interval(of: Found, shape: str) -> str:
    return f"{of['low']:{shape}} to {of['high']:{shape}}"


def _cell(value: float | None) -> str:
    return "" if value is None else f"{value:.3g}"
