"""The manifold analysis as one HTML page, and its numbers as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from engine.evaluation import html, paper, svg
from engine.evaluation.manifold_analysis import SPACES, Analysis, Space
from engine.evaluation.manifold_numbers import HALF, SURE, Discriminant
from engine.evaluation.manifold_pairs import Embedded

NAMES = {
    "raw": "raw embeddings",
    "manifold": "manifold",
    "reconstructed": "reconstructed audio embeddings",
}
SIDES = {"visual": "#2f7fd6", "audio": "#d9483b"}
WIDEST = 24  # classes that a chord diagram can name


@dataclass(frozen=True)
class Subject:
    """What was analysed: a pack (or a model in training) and the pairs.

    ``digest`` is that of the pack whose encoders gave the pairs; ``seed`` and ``link`` are as they
    were chosen.
    """

    pack: str
    digest: str
    source: str
    seed: int
    link: float = paper.LINK


def numbers(analysis: Analysis, pairs: Embedded, subject: Subject) -> dict[str, Any]:
    """Return everything that the page says in numbers, for a program to read."""
    return {
        "pack": subject.pack,
        "digest": subject.digest,
        "source": subject.source,
        "seed": subject.seed,
        "pairs": len(pairs.labels),
        "pictured": pairs.pictured,
        "distinct": pairs.distinct,
        "classes": list(analysis.classes),
        "spaces": {
            name: {
                "partition_coefficient": space.partition.coefficient,
                "partition_contrast": space.partition.contrast,
                "modality_gap": space.gap,
            }
            for name, space in analysis.spaces.items()
        },
        "discriminant": {
            kind: {name: _test_numbers(test) for name, test in tests.items()}
            for kind, tests in analysis.tests.items()
        },
        "links": _links(analysis, subject.link),
    }


def _test_numbers(test: Discriminant) -> dict[str, float]:
    return {
        "misclassified_percent": test.misclassified,
        "held_out_misclassified_percent": test.held_out,
        "entropy_r2": test.entropy_r2,
        "minus_2_log_likelihood": test.minus_2_ll,
    }


def _links(analysis: Analysis, limit: float) -> list[list[Any]]:
    """Return pairs of classes linked above ``limit``, the strongest first."""
    names, count = analysis.classes, len(analysis.classes)
    found = [
        [names[i], names[j], float(analysis.links[i, j])]
        for i in range(count)
        for j in range(i + 1, count)
        if analysis.links[i, j] > limit
    ]
    return sorted(found, key=lambda link: -float(link[2]))


def write(analysis: Analysis, pairs: Embedded, subject: Subject) -> str:
    """Return the page."""
    count, classes = len(pairs.labels), len(analysis.classes)
    lead = (
        f"{subject.pack} (encoders {subject.digest[:12]}), {count} pairs of {classes} classes from "
        f"{subject.source}; the visual side is a picture in {pairs.pictured} and words in "
        f"{count - pairs.pictured}, {pairs.distinct} of them different. Seed {subject.seed}."
    )
    parts = [
        *_reading(analysis),
        *_planes(analysis),
        *_chords(analysis, subject.link),
        *_discriminants(analysis),
        *_partitions(analysis),
        *_caveats(pairs),
    ]
    return html.page("Manifold analysis", lead, parts)


def _reading(analysis: Analysis) -> list[str]:
    raw, fold = analysis.spaces["raw"], analysis.spaces["manifold"]
    tests = list(analysis.tests.values())
    before, after = (
        float(np.mean([test[name].held_out for test in tests])) for name in ("raw", "manifold")
    )
    lines = [
        f"The gap between the means of the modalities goes from {raw.gap:.3f} (raw) to "
        f"{fold.gap:.3f} in the manifold (0 is closed).",
        f"A linear model that has not seen a sample mistakes its modality in {before:.0f} % of "
        f"cases before and {after:.0f} % after (50 % is a coin: closed).",
        f"Samples are {raw.partition.contrast:.3f} nearer to their own class than to others "
        f"before, {fold.partition.contrast:.3f} in the manifold (squared membership).",
    ]
    return [
        html.text("In short", "h2"),
        html.text("A manifold that works closes the gap and keeps the classes apart."),
        html.points(lines),
    ]


def _planes(analysis: Analysis) -> list[str]:
    colours = svg.palette(len(analysis.classes))
    figures = [
        html.figure(_plane(analysis, space, colours, NAMES[name]), NAMES[name].capitalize())
        for name, space in analysis.spaces.items()
    ]
    return [
        html.text("Before and after (t-SNE)", "h2"),
        html.text(
            "Circles are pictures or words, crosses are sounds; the paper shows the same in its "
            "Figure 6. Distances between far groups mean nothing in such a plot.",
            look="note",
        ),
        html.legend(_spoken(analysis.classes), colours),
        html.row(figures),
    ]


def _plane(analysis: Analysis, space: Space, colours: Sequence[str], what: str) -> str:
    count = len(analysis.labels)
    names = [analysis.classes[label].replace("_", " ") for label in analysis.labels]
    shades = [colours[label] for label in analysis.labels]
    marks = [
        svg.Marks(space.plane[:count], shades, [f"{name} (seen)" for name in names]),
        svg.Marks(space.plane[count:], shades, [f"{name} (heard)" for name in names], True),
    ]
    return svg.scatter(marks, f"t-SNE of {what}")


def _chords(analysis: Analysis, limit: float) -> list[str]:
    shown = slice(0, WIDEST)
    names = _spoken(analysis.classes[shown])
    colours = svg.palette(len(names))
    figures = []
    for links, what in (
        (analysis.links, "Among what is seen (the paper's Figure 7)"),
        ((analysis.across + analysis.across.T) / 2, "Between what is seen and what is heard"),
    ):
        strong = np.where(links[shown, shown] > limit, links[shown, shown], 0.0)
        picture = svg.chord(names, strong, colours, f"Chord diagram of similarities. {what}")
        figures.append(html.figure(picture, what))
    own, others = _own_and_others(analysis.across)
    return [
        html.text("Similar sources", "h2"),
        html.text(
            f"Average linkage (mean cosine) of classes in the manifold above {limit:g}; a wider "
            f"ribbon is a higher similarity. Between seen and heard, a class has {own:.2f} with "
            f"itself and {others:.2f} with the others.",
            look="note",
        ),
        html.row(figures),
    ]


def _own_and_others(across: np.ndarray) -> tuple[float, float]:
    away = ~np.eye(len(across), dtype=bool)
    return float(np.diag(across).mean()), float(across[away].mean())


def _discriminants(analysis: Analysis) -> list[str]:
    rows = [
        [
            kind.replace("_", " "),
            name,
            f"{test.misclassified:.1f}",
            f"{test.held_out:.1f}",
            f"{test.entropy_r2:.3f}",
            f"{test.minus_2_ll:.3f}",
        ]
        for kind, tests in analysis.tests.items()
        for name, test in tests.items()
    ]
    theirs = [
        [
            row.category,
            row.embedding,
            f"{row.misclassified:.1f}",
            "",
            f"{row.entropy_r2:.3f}",
            f"{row.minus_2_ll:.3f}",
        ]
        for row in paper.DISCRIMINANTS
    ]
    head = ("class", "space", "misclassified %", "held out %", "entropy R²", "-2 log-likelihood")
    return [
        html.text("Can the modalities be told apart?", "h2"),
        html.text(
            "A wide linear discriminant between what is seen and what is heard, class by class. "
            "More mistakes, a lower R² and a higher -2 log-likelihood mean a smaller gap. The "
            "paper fits and tests on the same 40 samples; with more dimensions than samples that "
            "flatters the discriminant, so a cross-validated column stands beside it.",
            look="note",
        ),
        html.table(html.Table("Ours", head, rows)),
        html.table(html.Table("The paper (Table 7, 20 + 20 samples a class)", head, theirs)),
        html.text(
            "Canonical plots: the inner circle is the 95 % confidence region of a mean, the "
            "outer, dashed one holds half of a normal distribution (Figure 8).",
            look="note",
        ),
        html.legend(list(SIDES), list(SIDES.values())),
        html.row(_canonical_figures(analysis)),
    ]


def _canonical_figures(analysis: Analysis) -> list[str]:
    return [
        html.figure(_canonical(test, f"{kind}, {name}"), f"{kind.replace('_', ' ')}, {name}")
        for kind, tests in analysis.tests.items()
        for name, test in tests.items()
    ]


def _canonical(test: Discriminant, what: str) -> str:
    count = len(test.canonical) // 2
    marks, rings = [], []
    for side, rows in (("visual", test.canonical[:count]), ("audio", test.canonical[count:])):
        colour = SIDES[side]
        marks.append(svg.Marks(rows, [colour] * count, [side] * count, side == "audio"))
        middle = (float(rows[:, 0].mean()), float(rows[:, 1].mean()))
        rings.append(svg.Ring(middle, SURE / count**0.5, colour))
        rings.append(svg.Ring(middle, HALF, colour, dashed=True))
    return svg.scatter(marks, f"Canonical plot of {what}", rings)


def _partitions(analysis: Analysis) -> list[str]:
    rows = [
        [
            NAMES[name],
            f"{space.partition.coefficient:.3f}",
            f"{paper.PARTITIONS[name]:.3f}",
            f"{space.partition.contrast:.3f}",
            f"{space.gap:.3f}",
        ]
        for name, space in ((name, analysis.spaces[name]) for name in SPACES)
    ]
    head = ("space", "partition coefficient", "the paper's", "contrast", "modality gap")
    return [
        html.text("Do classes form clusters?", "h2"),
        html.table(html.Table("Equation 13 over both modalities together (Table 8)", head, rows)),
        html.text(
            f"The coefficient sums squared memberships over {len(analysis.classes)} clusters "
            f"(the paper: {paper.CLASSES}) that need not add up to one, so it also grows when "
            "everything is alike. The contrast, a sample's own membership less the mean of the "
            "others, does not; read the two together.",
            look="note",
        ),
    ]


def _caveats(pairs: Embedded) -> list[str]:
    lines = [
        f"A visual side that stands for several sounds makes the modalities easy to tell apart "
        f"within a class: here {pairs.distinct} of {len(pairs.labels)} are different.",
        "The paper's numbers come from other data (VGGSS3), ViT-L/14 and CLAP: compare the "
        "direction from raw to manifold, not the sizes.",
        "Manifold and reconstruction are the means of their distributions; the paper draws.",
        "Raw pictures are brought to the size of raw sounds by principal components, as in the "
        "paper; that alone centres them.",
    ]
    return [html.text("What this does not say", "h2"), html.points(lines)]


def _spoken(classes: Sequence[str]) -> list[str]:
    return [name.replace("_", " ") for name in classes]
