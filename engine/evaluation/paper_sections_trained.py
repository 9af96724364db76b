"""Sections of the page on small trainings: Tables 4 and 5, and sources that come as sound."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from engine.evaluation.paper_markdown import (
    Found,
    Section,
    interval,
    not_measured,
    over_seeds,
    published,
    sure,
    table,
)
from engine.evaluation.paper_tables import CONDITIONS, MASK, PaperTable
from engine.evaluation.paper_verdicts import (
    WORDS,
    Side,
    Verdict,
    against_zero,
    finding,
    judge,
    number,
    outcome_of,
    shown,
)

MARKS = {
    "r_at_1": "R@1 ↑",
    "r_at_5": "R@5 ↑",
    "frechet_embeddings": "Fréchet of embeddings ↓",
    "ssms_prototypes": "SSMS by prototypes ↑",
}
ASKED = {
    "image": "single sources, from pictures",
    "text": "single sources, from words",
    "multi": "several sources at once",
}
LIKE = {"V-FAD": "frechet_embeddings", "SSMS": "ssms_prototypes"}


def ablations(found: Found) -> Iterator[Section]:
    """Yield Tables 4 and 5."""
    lead = (
        "{what} Each row is a small training of its own, all of equal length on the same sounds "
        "and seeds. Measured on embeddings, without rendering: retrieval of the true sound, and "
        "the Fréchet distance and matching score of what the Remixer predicts."
    )
    four = lead.format(what="The Remixer sees CLIP's half of each token, the manifold's, or both.")
    five = lead.format(
        what="Alpha bends the mask that spares similar pairs in the contrastive loss; 0 is no mask."
    )
    titles = "Table 4: what the Remixer is conditioned on", "Table 5: the contrastive mask, alpha"
    rivals = [("both", name) for name in ("CLIP only", "manifold only")]
    yield _ablation(titles[0], four, CONDITIONS, found, rivals)
    rivals = [("0.35", name) for name in ("0", "0.65", "1")]
    yield _ablation(titles[1], five, MASK, found, rivals)


def _ablation(
    title: str, lead: str, of: PaperTable, found: Found, rivals: Sequence[tuple[str, str]]
) -> Section:
    rows = found.get(f"table_{of.number}", {})
    verdicts = [
        _ablated(of, rows, kind, column, pair)
        for pair in rivals
        for kind in ("single", "multi")
        for column in LIKE
    ]
    ours = not_measured(found["why"]) if "why" in found else _trained(rows, found)
    theirs = published(of, "seen" if of is CONDITIONS else "alpha")
    return Section(title, lead, theirs, ours, verdicts)


def _ablated(of: PaperTable, rows: Found, kind: str, column: str, pair: tuple[str, str]) -> Verdict:
    mark = LIKE[column]
    sides = [Side(name, over_seeds(_marks(rows, name, kind).get(mark))) for name in pair]
    what = MARKS[mark].rsplit(" ", 1)[0]
    theirs = finding(of, f"{kind} {column}", *pair)
    return judge(theirs, what, (sides[0], sides[1]))


def _marks(rows: Found, name: str, kind: str) -> Found:
    """Return a row's marks of several sources, or of single ones: pictures, or else words."""
    row = rows.get(name)
    if row is None:
        return {}
    marks: Found = (
        row["multi"]
        if kind == "multi"
        else row["single"].get("image", row["single"].get("text", {}))
    )
    return marks


def _trained(rows: Found, found: Found) -> str:
    seeds = len(found["budget"]["seeds"])
    learned = found["learned"]
    parts = [
        f"{learned['sounds']} sounds and {learned['scenes']} scenes to learn from, {seeds} seeds; "
        "brackets hold 95 % t intervals over them, which say how much the luck of a training "
        "matters, not how much other sounds would.\n"
    ]
    for asked, title in ASKED.items():
        lines = {name: _asked(row, asked) for name, row in rows.items()}
        if all(lines.values()):
            parts += [f"{title[0].upper()}{title[1:]}:\n", _marked(lines, found, asked)]
    if all("manifold" in row for row in rows.values()):
        for asked in ("image", "text"):
            lines = {name: row["manifold"].get(asked, {}) for name, row in rows.items()}
            if all(lines.values()):
                title = f"The manifold alone, {ASKED[asked].split(', ')[1]}:\n"
                parts += [title, _marked(lines, found, asked)]
    return "\n".join(parts)


def _asked(row: Found, asked: str) -> Found:
    found: Found = row["multi"] if asked == "multi" else row["single"].get(asked, {})
    return found


def _marked(lines: Mapping[str, Found], found: Found, asked: str) -> str:
    pairs = found["chance"][asked]["pairs"]
    rows = [[name, *(_seeded(marks.get(mark)) for mark in MARKS)] for name, marks in lines.items()]
    chance = {**found["chance"][asked], "frechet_embeddings": found["floor"][asked]}
    rows.append(["by chance", *(_number(chance.get(mark)) for mark in MARKS)])
    return table([f"{pairs} held out", *MARKS.values()], rows)


def _seeded(of: Any) -> str:
    if of is None:
        return "–"
    return shown(over_seeds(of)) if len(of["seeds"]) > 1 else number(of["mean"])


def _number(value: Any) -> str:
    return "–" if value is None else number(value)


def audio(found: Found, trained: Found) -> Section:
    """Return A.7.2: what a translator gains in the pack, and in small trainings alike."""
    title = "A.7.2: sources that come as sound"
    lead = (
        "The paper sets the CLIP half of an audio source to zeros, finds audio conditioning weak, "
        "and proposes to translate sounds into image space. Wildtrack does (stage `audio2clip`). "
        "The pack mixes the same held-out scenes both ways; its Remixer has learned with the "
        "translation and misses it. The fair test are small trainings that differ in it alone."
    )
    small = trained.get("audio")
    own = not_measured(found["why"]) if "why" in found else _translated(found)
    alike = _alike(small, trained) if small else not_measured(trained.get("why", "no such rows."))
    ours = f"The pack:\n\n{own}\nSmall trainings:\n\n{alike}"
    verdicts = [] if "gain" not in found else [_gain(found)]
    return Section(title, lead, "", ours, [*verdicts, *_alike_verdicts(small or {})])


def _gain(found: Found) -> Verdict:
    direction = "The pack, cosine: translated > zeros (hoped for, no numbers)"
    return against_zero(sure(found["gain"]["cosine"]), direction, is_gain=True)


def _translated(found: Found) -> str:
    marks = {"cosine": "cosine to the truth ↑", "r_at_1": "R@1 ↑", "r_at_5": "R@5 ↑"}
    names = {"zeros": "zeros, as published", "translated": "**translated**", "gain": "gain"}
    rows = [
        [title, *(shown(interval(found[key][mark])) for mark in marks)]
        for key, title in names.items()
        if key in found
    ]
    rows.append(["by chance", "–", *(number(found["chance"][key]) for key in ("r_at_1", "r_at_5"))])
    note = f"{found['scenes']} scenes, {found['heard_sources']} of their sources as sound.\n\n"
    end = "" if found["has_translator"] else "\nThis pack has no translator yet.\n"
    return note + table(["CLIP half of audio sources", *marks.values()], rows) + end


def _alike(small: Found, trained: Found) -> str:
    marks = {"cosine": "cosine to the truth ↑", **MARKS}
    rows = [
        [f"{name}, {share} of the sources", *(_seeded(of.get(mark)) for mark in marks)]
        for name, shares in small.items()
        for share, of in shares.items()
    ]
    seeds = len(trained["budget"]["seeds"])
    note = f"{seeds} seeds; brackets hold 95 % t intervals over them.\n\n"
    return note + table(["trained and measured with", *marks.values()], rows)


def _alike_verdicts(small: Found) -> list[Verdict]:
    """Return whether translation beats zeros in the small trainings, as the paper hopes."""
    verdicts = []
    for share, translated in small.get("heard translated", {}).items():
        sides = [over_seeds(of.get("cosine")) for of in (translated, _zeros(small, share))]
        outcome = outcome_of(True, sides[0], sides[1])
        ours = f"cosine: translated {shown(sides[0])}, zeros {shown(sides[1])}"
        direction = f"Trained alike, {share} of the sources heard: translated > zeros (hoped for)"
        verdicts.append(Verdict(outcome, direction, ours, WORDS[outcome]))
    return verdicts


def _zeros(small: Found, share: str) -> Found:
    found: Found = small["heard as zeros"][share]
    return found
