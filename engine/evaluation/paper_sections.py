"""Sections of the page on what is generated: Tables 1, 2, 3, 9, 10 and 11."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from engine.evaluation import paper
from engine.evaluation.paper_markdown import (
    Found,
    Section,
    arrow,
    bullets,
    interval,
    not_measured,
    published,
    table,
)
from engine.evaluation.paper_tables import (
    CYCLE_MIX,
    DEPTH,
    LAYERS,
    MULTI,
    SINGLE,
    SYNCHRONY,
    PaperTable,
)
from engine.evaluation.paper_verdicts import Side, Verdict, finding, judge, number, shown

ROWS = {
    "real": "the real sounds themselves",
    "codec": "real sounds through codec and vocoder",
    "oracle": "oracle: decoder given the real sound's embedding",
    "mapper": "V2A-Mapper-like network, from pictures",
    "cascade": "cascade: each picture's sound alone, overlaid",
    "pictures": "**ours, from pictures**",
    "words": "**ours, from words**",
}
SHORT = {"pictures": "ours", "mapper": "mapper-like", "oracle": "oracle"}
KINDS = {
    "frechet": "Fréchet",
    "ssms": "SSMS",
    "top_1": "named first",
    "top_5": "named in five",
    "picture": "picture score",
}
NEEDS = {
    "aisfx": "aiSFX as a second judge: needs the package aisfx "
    "(`pip install --no-deps aisfx tqdm`)",
    "vggish": "V-FAD: needs VGGish (`pip install frechet-audio-distance==0.3.4` and its weights)",
    "clap": "C-FAD: needs CLAP (`pip install frechet-audio-distance==0.3.4` and its weights)",
    "beats": "SSMS as published: needs BEATs' fine-tuned checkpoint (`--beats`)",
    "wav2clip": "CLIP-Score: needs Wav2CLIP and CLIP (`pip install wav2clip open_clip_torch` and "
    "their weights)",
}
RIVALS = (("SSV2A", "V2A-Mapper"), ("Oracle", "SSV2A"), ("Oracle", "V2A-Mapper"))
OURS = {"SSV2A": "pictures", "V2A-Mapper": "mapper", "Oracle": "oracle"}
LIKE = {"V-FAD": "frechet judge", "SSMS": "ssms judge", "CS": "picture pack"}
NOT_HELD = (
    "not held: there are no listeners here. `wildtrack listening make` writes the page for such a "
    "test, blind and in random order, and `wildtrack listening report` counts its answers. Our "
    "cells stay empty until people have listened.\n"
)


def single(found: Found) -> Section:
    """Return Table 1, one source."""
    title = "Table 1: single-source generation"
    lead = (
        "The paper generates ten seconds for a video frame (VGG-SS, MUSIC) or a picture "
        "(ImageHear). Here each method gets one picture, or one phrase, of a held-out sound and "
        "makes as many seconds as that has; every row has the same sounds to meet."
    )
    return _generation(title, lead, SINGLE, found)


def multi(found: Found) -> Section:
    """Return Table 1, several sources."""
    title = "Table 1: multi-source generation"
    lead = (
        "Here two or three held-out sounds of different classes are laid over each other, and "
        "each method gets their pictures (side by side as the whole frame) or their words. The "
        "boxes are exact: no detector's mistakes are in it."
    )
    return _generation(title, lead, MULTI, found)


def _generation(title: str, lead: str, of: PaperTable, found: Found) -> Section:
    if "why" in found:
        verdicts = _rivals(of, {})
        return Section(title, lead, published(of), not_measured(found["why"]), verdicts)
    labels = found["labels"]["judge"]
    size = (
        f"{found['sounds']} items of {found['classes']} classes, {found['pictured']} "
        f"with held-out pictures; SSMS of {labels['n']} of {labels['of']} labels.\n\n"
    )
    missing = bullets(f"Not measured: {NEEDS[name]}." for name in found["missing"])
    left_out = _left_out(found["rows"])
    ours = size + _rows(found["rows"], found["chance"]) + "\n" + left_out + missing
    return Section(title, lead, published(of), ours, _rivals(of, found["rows"]))


def _rivals(of: PaperTable, rows: Found) -> list[Verdict]:
    verdicts = []
    for first, second in RIVALS:
        for column, measure in LIKE.items():
            names = OURS[first], OURS[second]
            sides = [Side(SHORT[name], _measure(rows, name, measure)) for name in names]
            theirs = finding(of, f"VGG-SS {column}", first, second)
            verdicts.append(judge(theirs, _spoken(measure), (sides[0], sides[1])))
    return verdicts


def opinions() -> Section:
    """Return Table 2: listeners' opinions, which we have none of."""
    rows = [
        [
            row.method,
            *(f"{value:.3f}" for value in (row.relevance, row.relevance_std)),
            *(f"{value:.3f}" for value in (row.fidelity, row.fidelity_std)),
        ]
        for row in paper.OPINIONS
    ]
    head = ("method", "relevance ↑", "deviation", "fidelity ↑", "deviation")
    ours = table(head, [["ours", *["–"] * 4]]) + f"\nListening test {NOT_HELD}"
    return Section(
        "Table 2: what listeners say (mean opinion score, 1 to 5)",
        "Twenty people rated sounds for pictures, for how real they are and how well they fit.",
        table(head, rows),
        ours,
    )


def synchrony(found: Found) -> Section:
    """Return Table 3: drift between picture and sound, where a user has Synchformer's outputs."""
    title = "Table 3: synchronisation"
    lead = "How far sound and picture drift apart in videos (WMAO, seconds; lower is better)."
    if "why" in found:
        return Section(title, lead, published(SYNCHRONY), not_measured(found["why"]))
    tops = [key for key in found if key.startswith("top_")]
    head = ["method", *(key.removesuffix("_s").replace("_", "-") + " ↓" for key in tops)]
    cells = ["ours", *(shown(interval(found[key])) for key in tops)]
    note = (
        f"\n{found['videos']} videos; a sound that knows nothing of the picture has about 1.05.\n"
    )
    return Section(title, lead, published(SYNCHRONY), table(head, [cells]) + note)


def cycle_mix(found: Found) -> Section:
    """Return Table 9."""
    title = "Table 9: Cycle Mix, samples x iterations"
    lead = (
        "The paper finds that more samples and iterations help several sources and cost single "
        "ones a little. Here, from pictures, two small settings stand beside the usual."
    )
    ours = ""
    rows: dict[str, Found] = {}
    for kind in ("single", "multi"):
        part = found if "why" in found else found[kind]
        ours += f"{kind.capitalize()}-source:\n\n"
        if "why" in part:
            ours += not_measured(part["why"]) + "\n"
            rows[kind] = {}
            continue
        rows[kind] = part["rows"]
        ours += _rows(part["rows"], part["chance"], {name: name for name in CYCLE_MIX.rows}) + "\n"
    verdicts = []
    for kind, of in rows.items():
        for small in ("1 x 1", "4 x 4"):
            for column in ("V-FAD", "SSMS"):
                measure = LIKE[column]
                sides = [Side(name, _measure(of, name, measure)) for name in ("64 x 64", small)]
                theirs = finding(CYCLE_MIX, f"{kind} {column}", "64 x 64", small)
                verdicts.append(judge(theirs, _spoken(measure), (sides[0], sides[1])))
    return Section(title, lead, published(CYCLE_MIX, "setting"), ours, verdicts)


def architectures() -> Iterator[Section]:
    """Yield Tables 10 and 11, whose rows are whole trainings each."""
    why = (
        "each row is a training of its own with other sizes; `wildtrack train manifold` and "
        "`wildtrack train remixer` take them from a configuration.\n"
    )
    for of, title, first in (
        (DEPTH, "Table 10: depth of projectors and reconstructor", "variant"),
        (LAYERS, "Table 11: attention layers of the Remixer", "layers"),
    ):
        lead = "The paper trains SSV2A anew at other sizes."
        yield Section(title, lead, published(of, first), f"Not measured: {why}")


def _rows(rows: Found, chance: Found, names: Mapping[str, str] = ROWS) -> str:
    columns = [name for name in _columns(rows) if name != "why"]
    head = ["", "sounds", *(_head(column) for column in columns)]
    lines = [_line(names[name], rows[name], columns) for name in names if name in rows]
    lines.append(["by chance", "", *(_chance(chance.get(column)) for column in columns)])
    return table(head, lines)


def _columns(rows: Found) -> list[str]:
    found = dict.fromkeys(column for row in rows.values() for column in row["measures"])
    order = list(KINDS)
    return sorted(found, key=lambda column: order.index(column.split()[0]))


def _line(name: str, row: Found, columns: Sequence[str]) -> list[str]:
    cells = [shown(interval(row["measures"].get(column))) for column in columns]
    return [name, str(row["sounds"]), *cells]


def _left_out(rows: Found) -> str:
    lines = [f"{_plain(name)}: {row['why']}" for name, row in rows.items() if "why" in row]
    lines += [
        f"{_plain(name)}: {len(row['left_out'])} sounds could not be made, the first: "
        f"{row['left_out'][0]}"
        for name, row in rows.items()
        if row["left_out"]
    ]
    return bullets(lines)


def _head(column: str) -> str:
    kind, who = column.split()
    name = f"{KINDS[kind]}, {who}"
    return f"{name} {arrow(name)}"


def _chance(value: Any) -> str:
    return "–" if value is None else number(value)


def _measure(rows: Found, name: str, measure: str) -> Any:
    return interval(rows[name]["measures"].get(measure)) if name in rows else None


def _plain(name: str) -> str:
    return ROWS.get(name, name).replace("*", "").split(":")[0]


def _spoken(measure: str) -> str:
    kind, who = measure.split()
    return f"{KINDS[kind]} ({who})"
