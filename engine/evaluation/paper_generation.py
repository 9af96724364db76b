"""Parts of ``wildtrack evaluate --paper`` that render sounds: Table 1, Table 9 and A.6."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from engine.cmss import CycleMixSettings
from engine.evaluation.baselines import Cascaded, Composed, Condition, Mapped, Method, Oracle
from engine.evaluation.bootstrap import of_mean
from engine.evaluation.compositions import MEASURES, SCENES, Ear, Heard, both_ways, compare
from engine.evaluation.paper_bench import Bench, ThroughCodec
from engine.evaluation.paper_items import Item
from engine.evaluation.paper_listeners import labels_of
from engine.evaluation.paper_scores import Render, Section

SETTINGS = {"1 x 1": (1, 1), "4 x 4": (4, 4)}  # of Table 9, beside the usual 64 x 64
COMPOSED_S = 4.0
COMPOSED_SEEDS = 2
NO_SCENES = "the corpus has one class only; scenes need two."
NO_PICTURES = "the corpus has no held-out picture of a judged class."


def single(bench: Bench) -> dict[str, Any]:
    """Return Table 1's upper half at this scale: one sound at a time."""
    return _section(bench, "single", bench.singles)


def multi(bench: Bench) -> dict[str, Any]:
    """Return its lower half: two or three sounds at once."""
    if not bench.scenes:
        return {"why": NO_SCENES}
    return _section(bench, "multi", bench.scenes)


def cycle_mix(bench: Bench) -> dict[str, Any]:
    """Return Table 9 at this scale: fewer samples and iterations against the usual."""
    found: dict[str, Any] = {}
    for name, items in (("single", bench.singles), ("multi", bench.scenes)):
        conditions = bench.pictured(items, name)
        if not conditions:
            found[name] = {"why": NO_PICTURES if items else NO_SCENES}
            continue
        section = Section(bench, name, items)
        rows = {"64 x 64": section.row("pictures", _ours(bench, conditions, name))}
        for title, (samples, iterations) in SETTINGS.items():
            settings = CycleMixSettings(iterations, samples)
            method = Composed(bench.studio, settings)
            render = _rendering(bench, method, conditions, name, title.replace(" ", ""))
            rows[title] = section.row(title, render)
        found[name] = {"rows": rows, "chance": section.chance()}
    return found


def composition(bench: Bench) -> dict[str, Any]:
    """Return A.6 in numbers: composition against cascade, by kind of awareness."""
    heard = compare(
        SCENES,
        both_ways(bench.studio),
        Ear(bench.studio),
        COMPOSED_S,
        range(bench.wish.seed, bench.wish.seed + COMPOSED_SEEDS),
        bench.stage("composition and cascade"),
    )
    kinds = list(dict.fromkeys(row.composition.kind for row in heard))
    return {
        "scenes": len(SCENES),
        "seeds": COMPOSED_SEEDS,
        "kinds": {
            kind: _by_method(bench, [row for row in heard if row.composition.kind == kind])
            for kind in kinds
        },
    }


def _by_method(bench: Bench, heard: Sequence[Heard]) -> dict[str, Any]:
    """Return each method's measures, and how much composition has more than the cascade."""
    rows = {
        name: [row for row in heard if row.method == name]
        for name in dict.fromkeys(row.method for row in heard)
    }
    found: dict[str, Any] = {
        name: {
            measure: vars(of_mean([getattr(row, measure) for row in own], bench.wish.how))
            for measure in MEASURES
        }
        for name, own in rows.items()
    }
    cascade, ours = rows["cascade"], rows["ssv2a"]
    found["more"] = {
        measure: vars(of_mean(_differences(ours, cascade, measure), bench.wish.how))
        for measure in MEASURES
    }
    return found


def _differences(first: Sequence[Heard], second: Sequence[Heard], measure: str) -> list[float]:
    pairs = zip(first, second, strict=True)
    return [getattr(ours, measure) - getattr(theirs, measure) for ours, theirs in pairs]


def _section(bench: Bench, name: str, items: Sequence[Item]) -> dict[str, Any]:
    section = Section(bench, name, items)
    rows = {"real": section.row("real", lambda: (bench.real(items, name), []))}
    rows |= {title: section.row(title, render) for title, render in _methods(bench, name, items)}
    sources = [len(item.kinds) for item in items]
    return {
        "sounds": len(items),
        "classes": len({kind for item in items for kind in item.kinds}),
        "sources": float(np.mean(sources)),
        "pictured": sum(bool(item.pictures) for item in items),
        "labels": {
            of: {"of": len(labeller.labels), "n": labels_of(labeller)}
            for of, labeller in bench.listeners.labellers.items()
        },
        "rows": rows,
        "chance": section.chance(),
        "missing": sorted(bench.listeners.missing),
    }


def _methods(bench: Bench, name: str, items: Sequence[Item]) -> list[tuple[str, Render]]:
    """Return each method's name and what renders it."""
    worded, pictured = bench.worded(items, name), bench.pictured(items, name)

    def codec() -> Any:
        return bench.render(ThroughCodec(bench.renderer), worded, name, "codec")

    def mapper() -> Any:
        return bench.render(Mapped(bench.studio, bench.mapper), pictured, name, "mapper")

    found: list[tuple[str, Render]] = [
        ("codec", codec),
        ("oracle", _rendering(bench, Oracle(bench.studio), worded, name, "oracle")),
    ]
    if pictured:
        found.append(("mapper", mapper))
        if name == "multi":
            cascade = Cascaded(bench.studio)
            found.append(("cascade", _rendering(bench, cascade, pictured, name, "cascade")))
        found.append(("pictures", _ours(bench, pictured, name)))
    return [*found, ("words", _rendering(bench, Composed(bench.studio), worded, name, "words"))]


def _ours(bench: Bench, conditions: Sequence[Condition], section: str) -> Render:
    return _rendering(bench, Composed(bench.studio), conditions, section, "pictures")


def _rendering(
    bench: Bench, method: Method, conditions: Sequence[Condition], section: str, name: str
) -> Render:
    return lambda: bench.render(method, conditions, section, name)
