"""Sections of the page on what is measured of the pack alone: Tables 7 and 8, A.6, muting, bars."""

from __future__ import annotations

from collections.abc import Mapping

from engine.evaluation import paper
from engine.evaluation.paper_markdown import (
    Found,
    Section,
    interval,
    not_measured,
    sure,
    table,
)
from engine.evaluation.paper_verdicts import (
    Finding,
    Side,
    Verdict,
    against_zero,
    judge,
    published_number,
    shown,
)

TESTS = {
    "misclassified": "misclassified % ↑",
    "held_out": "held out % ↑",
    "entropy_r2": "entropy R² ↓",
    "minus_2_ll": "-2 log-likelihood ↑",
    "gap": "modality gap ↓",
}
CLUSTERS = {"partition": "partition coefficient ↑", "contrast": "contrast ↑"}
SPACES = {
    "raw": "raw embeddings",
    "manifold": "manifold",
    "reconstructed": "reconstructed audio embeddings",
}
CARD = "[model card](../presets/packs/starter/README.md)"


def discriminants(found: Found) -> Section:
    """Return Table 7."""
    title = "Table 7: can the modalities be told apart? (A.3.2)"
    lead = (
        "A linear discriminant guesses whether an embedding is of a picture or of a sound; in a "
        "manifold that closes the gap it errs. The paper fits and tests on the same samples, which "
        "flatters it where there are more dimensions than samples: *held out* is cross-validated."
    )
    names = {"raw": "raw", "manifold": "CMSS"}
    rows = [
        [f"{row.category}, {names[row.embedding]}", *_of_discriminant(row)]
        for row in paper.DISCRIMINANTS
    ]
    head = ["category", "misclassified % ↑", "entropy R² ↓", "-2 log-likelihood ↑"]
    verdicts = [
        judge(_mean_finding(name), TESTS[name].rsplit(" ", 1)[0], _spaces(found, name))
        for name in ("misclassified", "entropy_r2", "minus_2_ll")
    ]
    chosen = {name: SPACES[name] for name in ("raw", "manifold")}
    ours = _manifold(found, chosen, TESTS)
    return Section(title, lead, table(head, rows), ours, verdicts)


def _of_discriminant(row: paper.DiscriminantRow) -> list[str]:
    return [f"{value:.3f}" for value in (row.misclassified, row.entropy_r2, row.minus_2_ll)]


def _mean_finding(name: str) -> Finding:
    """Return the paper's mean over its four categories, manifold against raw."""
    means = [
        sum(getattr(row, name) for row in paper.DISCRIMINANTS if row.embedding == space) / 4
        for space in ("manifold", "raw")
    ]
    what = TESTS[name].rsplit(" ", 1)[0]
    return Finding(f"{what}, mean of the categories", "CMSS", "raw", (means[0], means[1]))


def partitions(found: Found) -> Section:
    """Return Table 8."""
    title = "Table 8: do classes form clusters? (A.3.3)"
    lead = (
        "The partition coefficient (Eq. 13) grows when samples are near the centre of their class, "
        "and also when everything is alike; the contrast, own membership less the mean of the "
        "others, grows for the first reason only. Read the two together."
    )
    rows = [[SPACES[name], published_number(value)] for name, value in paper.PARTITIONS.items()]
    theirs = table(["embeddings", "partition coefficient ↑"], rows)
    verdicts = [
        judge(
            Finding("Partition coefficient", "CMSS", "raw", _partition("manifold", "raw")),
            what,
            _spaces(found, name),
        )
        for name, what in (("partition", "coefficient"), ("contrast", "contrast"))
    ]
    return Section(title, lead, theirs, _manifold(found, SPACES, CLUSTERS), verdicts)


def _partition(first: str, second: str) -> tuple[float, float]:
    return paper.PARTITIONS[first], paper.PARTITIONS[second]


def _spaces(found: Found, name: str) -> tuple[Side, Side]:
    spaces = found.get("spaces", {})
    sides = [Side(what, interval(spaces.get(what, {}).get(name))) for what in ("manifold", "raw")]
    return sides[0], sides[1]


def _manifold(found: Found, spaces: Mapping[str, str], columns: Mapping[str, str]) -> str:
    if "why" in found:
        return not_measured(found["why"])
    rows = [
        [title, *(shown(interval(found["spaces"][space][name])) for name in columns)]
        for space, title in spaces.items()
    ]
    note = (
        f"{found['pairs']} held-out pairs of {found['classes']} classes; the visual side is a "
        f"picture in {found['pictured']} and words in the others, {found['distinct']} different. "
        f"Means over {found['draws']} draws of at most {found['each']} a class; brackets hold 95 % "
        "of the draws, which share pairs: they say how much a draw matters, not how much another "
        "corpus would.\n\n"
    )
    return note + table(["embeddings", *columns.values()], rows)


def composition(found: Found) -> Section:
    """Return A.6: composition against cascade."""
    title = "A.6: composition against cascade"
    lead = (
        "The paper lets one listen to an example each of interaction, context and style awareness, "
        "and gives no numbers. Ours are heard by the pack's own encoder, which flatters both "
        "methods alike. *Whole*: how near to words for the scene as a whole; *least*: how near to "
        "the source it has least of (a cascade cannot lack one); *pulse*: how regular the onsets."
    )
    if "why" in found:
        return Section(title, lead, "", not_measured(found["why"]))
    names = {"ssv2a": "**ours**", "cascade": "cascade", "more": "ours less cascade"}
    measures = ("whole", "least", "pulse")
    rows = [
        [kind, name, *(shown(interval(of[key][measure])) for measure in measures)]
        for kind, of in found["kinds"].items()
        for key, name in names.items()
    ]
    verdicts = [
        against_zero(
            sure(of["more"]["whole"]),
            f"{kind.capitalize()} awareness, whole: composition > cascade (no numbers)",
            is_gain=True,
        )
        for kind, of in found["kinds"].items()
    ]
    note = f"{found['scenes']} scenes in words, {found['seeds']} seeds each.\n\n"
    ours = note + table(["awareness", "method", *(f"{name} ↑" for name in measures)], rows)
    return Section(title, lead, "", ours, verdicts)


def muting(found: Found) -> Section:
    """Return what muting one source does; the paper has no such test."""
    title = "Muting one source"
    lead = (
        "Not in the paper. Consistent stems must add up to the mix, and muting one source should "
        "lower the judge's score for its class and not for the others."
    )
    if "why" in found:
        return Section(title, lead, "", not_measured(found["why"]))
    columns = {
        "own": "own class",
        "others": "the others",
        "own_less_others": "own less others ↓",
        "own_falls_more": "own falls more ↑",
    }
    names = {"rendered": "rendered again without it", "left_out": "its stem left out of the sum"}
    rows = [
        [name, *(shown(interval(found[key][column])) for column in columns)]
        for key, name in names.items()
    ]
    residual = found["residual_db"]
    note = (
        f"{found['scenes']} scenes with {found['sources']} sources of {found['seconds']:g} s. The "
        f"sum of the stems differs from the mix by {residual['highest']:.0f} dB at most. Changes "
        "of probability:\n\n"
    )
    ours = note + table(["muted", *columns.values()], rows)
    verdicts = [_muted(found[key]["own_less_others"], name) for key, name in names.items()]
    return Section(title, lead, "", ours, verdicts)


def _muted(of: Found, name: str) -> Verdict:
    direction = f"Muted, {name}: its own class falls more than the others (our own bar)"
    return against_zero(sure(of), direction, is_gain=False)


def starter(found: Found) -> Section:
    """Return the pack's own bars, as its model card has them."""
    title = "The pack's own bars"
    lead = f"Measured when the pack was made, not here; how, is in its {CARD}."
    if "why" in found:
        return Section(title, lead, "", not_measured(found["why"]))
    head = ["bar", "asked", "measured", "outcome"]
    rows = [[str(bar[key] or "–").replace("|", "\\|") for key in head] for bar in found["bars"]]
    return Section(title, lead, "", table(head, rows, "left"))
