"""What a listening survey found, as one HTML page and as numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from engine.evaluation import html, paper
from engine.evaluation.listening_scores import (
    Difference,
    Opinion,
    Rating,
    Screening,
    agreement,
    differences,
    opinions,
    rejected,
)
from osc_bridge.errors import OutOfRange

SECTIONS = ("fidelity", "relevance")


@dataclass(frozen=True)
class Survey:
    """The analysis: scores of the raters who were kept."""

    raters: int
    rejected: Mapping[str, str]
    opinions: tuple[Opinion, ...]
    differences: tuple[Difference, ...]
    alpha: Mapping[str, Mapping[str, float]]
    left_out: tuple[str, ...]
    ours: str


def survey(
    ratings: Sequence[Rating], left_out: Sequence[str], rules: Screening | None, ours: str
) -> Survey:
    """Return the analysis; without ``ours`` the first method of the ratings is compared.

    Without ``rules`` every rater is kept. OutOfRange where nobody rated ``ours``.
    """
    odd = rejected(ratings, rules) if rules else {}
    kept = [rating for rating in ratings if rating.rater not in odd]
    methods = list(dict.fromkeys(rating.method for rating in ratings))
    if ours and ours not in methods:
        raise OutOfRange(f"Nobody rated {ours!r}; the key knows {', '.join(methods)}: see --ours.")
    chosen = ours or methods[0]
    return Survey(
        raters=len({rating.rater for rating in ratings}),
        rejected=odd,
        opinions=tuple(opinions(kept)),
        differences=tuple(differences(kept, chosen)),
        alpha={
            section: {
                "interval": agreement(kept, section, "interval"),
                "ordinal": agreement(kept, section, "ordinal"),
            }
            for section in SECTIONS
            if any(rating.section == section for rating in kept)
        },
        left_out=tuple(left_out),
        ours=chosen,
    )


def numbers(of: Survey) -> dict[str, Any]:
    """Return the analysis for a program to read; an alpha that cannot be told is null."""
    found = asdict(of)
    for metrics in found["alpha"].values():
        for metric, value in metrics.items():
            metrics[metric] = None if value != value else value  # noqa: PLR0124 - NaN
    return found


def write(of: Survey) -> str:
    """Return the page."""
    kept = of.raters - len(of.rejected)
    lead = f"{kept} of {of.raters} raters, {sum(o.ratings for o in of.opinions)} ratings, 1 to 5."
    if not of.opinions:
        return html.page("Listening test", text_table(of), _left_out(of))
    parts = [*_scores(of), *_differences(of), *_agreement(of), *_paper(), *_left_out(of)]
    return html.page("Listening test", lead, parts)


def text_table(of: Survey) -> str:
    """Return the scores as lines for a terminal."""
    if not of.opinions:
        return f"Nobody is left of {of.raters} raters; the reasons follow (--keep-all keeps them)."
    wide = max([6, *(len(o.method) for o in of.opinions)])
    lines = [f"{'section':10} {'method':{wide}}  MOS    95 %         std"]
    lines += [
        f"{o.section:10} {o.method:{wide}}  {o.mean:.3f}  {o.low:.2f} to {o.high:.2f}  {o.std:.3f}"
        for o in of.opinions
    ]
    lines += [
        f"{d.section:10} {d.method} less {d.than}: {d.mean:+.3f} ({d.low:+.2f} to {d.high:+.2f})"
        for d in of.differences
    ]
    lines += [
        f"{section:10} agreement (Krippendorff's alpha): {metrics['interval']:.3f} interval, "
        f"{metrics['ordinal']:.3f} ordinal"
        for section, metrics in of.alpha.items()
    ]
    return "\n".join([*lines, f"{of.raters - len(of.rejected)} of {of.raters} raters"])


def _scores(of: Survey) -> list[str]:
    head = ("method", "MOS", "95 %", "std", "std of item means", "ratings", "raters")
    parts = [html.text("Mean opinion scores", "h2")]
    for section in of.alpha:
        chosen = sorted((o for o in of.opinions if o.section == section), key=lambda o: -o.mean)
        rows = [
            [
                o.method,
                f"{o.mean:.3f}",
                f"{o.low:.2f} to {o.high:.2f}",
                f"{o.std:.3f}",
                f"{o.std_items:.3f}",
                str(o.ratings),
                str(o.raters),
            ]
            for o in chosen
        ]
        parts.append(html.table(html.Table(section.capitalize(), head, rows)))
    note = (
        "The intervals come from drawing the raters anew 2000 times: they say how much the score "
        "depends on who was asked, not on which items were chosen. Answers to questions that came "
        "a second time are left out of the scores."
    )
    return [*parts, html.text(note, look="note")]


def _differences(of: Survey) -> list[str]:
    rows = [
        [
            f"{d.section}: {d.method} less {d.than}",
            f"{d.mean:+.3f}",
            f"{d.low:+.2f} to {d.high:+.2f}",
            str(d.pairs),
        ]
        for d in of.differences
    ]
    if not rows:
        return []
    head = ("same rater, same item", "difference", "95 %", "pairs")
    return [
        html.text(f"{of.ours} against the others", "h2"),
        html.table(html.Table("An interval that holds 0 decides nothing", head, rows)),
    ]


def _agreement(of: Survey) -> list[str]:
    rows = [
        [section, f"{metrics['interval']:.3f}", f"{metrics['ordinal']:.3f}"]
        for section, metrics in of.alpha.items()
    ]
    head = ("section", "interval", "ordinal")
    return [
        html.text("Do the raters agree?", "h2"),
        html.table(html.Table("Krippendorff's alpha (1 agreement, 0 chance)", head, rows)),
        html.text(
            "Alpha and not an intraclass correlation, because each rater hears a drawn part of "
            "the samples and an ICC wants all of them. The interval metric is the main one: a mean "
            "opinion score takes the steps of the scale as equal, too. Above 0.8 is usually called "
            "reliable, below 0.67 not.",
            look="note",
        ),
    ]


def _paper() -> list[str]:
    rows = [
        [
            o.method,
            f"{o.relevance:.3f}",
            f"{o.relevance_std:.3f}",
            f"{o.fidelity:.3f}",
            f"{o.fidelity_std:.3f}",
        ]
        for o in paper.OPINIONS
    ]
    head = ("method", "relevance MOS", "std", "fidelity MOS", "std")
    return [
        html.text("What the paper found", "h2"),
        html.table(html.Table("Table 2: 20 raters, 40 frames, 10 s", head, rows)),
        html.text(
            "Scores of two surveys cannot be compared: raters use the scale by what else they "
            "hear. Only methods that were heard in the same survey can. The paper does not say "
            "what its deviations are taken over.",
            look="note",
        ),
    ]


def _left_out(of: Survey) -> list[str]:
    parts = [html.text("Left out", "h2")]
    if of.rejected:
        rows = [[rater, reason] for rater, reason in of.rejected.items()]
        parts.append(html.table(html.Table("Raters", ("rater", "reason"), rows)))
    if of.left_out:
        parts.append(html.points(of.left_out))
    if not of.rejected and not of.left_out:
        parts.append(html.text("Nobody and nothing."))
    return parts
