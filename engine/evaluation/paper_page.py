"""``docs/evaluation.md``, written from ``evaluation.json`` and the paper's tables alone.

A test writes the page anew and fails when it differs: no number and no verdict is typed by hand.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from engine.evaluation import paper_sections, paper_sections_own, paper_sections_trained
from engine.evaluation.paper_markdown import Section, bullets, summary, table
from engine.evaluation.paper_parts import PARTS
from engine.evaluation.paper_verdicts import Verdict

Figures = Mapping[str, Any]
COMMAND = "wildtrack evaluate --paper --data CORPUS --work WORK"


def write_page(figures: Figures) -> str:
    """Return the page as Markdown."""
    sections = list(_sections(figures["parts"]))
    parts = [
        _head(figures),
        _reading(figures["setting"]),
        _short(sections),
        *(section.markdown() for section in sections),
        _end(figures["parts"]),
    ]
    return "\n".join(parts).rstrip() + "\n"


def _sections(parts: Figures) -> Iterator[Section]:
    measured = {name: parts[name]["measured"] if name in parts else _absent(name) for name in PARTS}
    yield paper_sections.single(measured["single"])
    yield paper_sections.multi(measured["multi"])
    yield paper_sections.opinions()
    yield paper_sections.synchrony(measured["synchrony"])
    yield from paper_sections_trained.ablations(measured["ablations"])
    yield paper_sections_own.discriminants(measured["manifold"])
    yield paper_sections_own.partitions(measured["manifold"])
    yield paper_sections.cycle_mix(measured["cycle-mix"])
    yield from paper_sections.architectures()
    yield paper_sections_own.composition(measured["composition"])
    yield paper_sections_trained.audio(measured["audio"], measured["ablations"])
    yield paper_sections_own.muting(measured["muting"])
    yield paper_sections_own.starter(measured["starter"])


def _absent(name: str) -> dict[str, str]:
    return {"why": f"`wildtrack evaluate --paper --part {name}` has not been run yet."}


def _head(figures: Figures) -> str:
    of = figures["setting"]
    minutes = sum(part["seconds"] for part in figures["parts"].values()) / 60
    return f"""# Evaluation: the paper's tables, and ours beside them

`{COMMAND}` measures and writes this
page and `evaluation.json` beside it, which holds every number. Measured on {of["date"]} in
{minutes:.0f} minutes ({of["machine"]}): pack {of["pack"]}, version {of["version"]}
(`{of["digest"][:12]}`), a corpus laid out as [training-data.md](training-data.md) says
(`sounds.csv` is `{of["data"]["sounds.csv"][:12]}`), seed {of["seed"]}.

How good the pack is by its own bars is in its [model card](../presets/packs/starter/README.md).
This page asks something else: do the directions that the paper found show at our scale, too?
"""


def _reading(of: Figures) -> str:
    percent = f"{100 * of['how']['level']:g} %"
    return f"""## How to read it

{
        bullets(
            [
                "**Never compare a number of ours with one of the paper's.** Other sounds (free "
                "effects of a few seconds, not video clips of ten), far smaller networks, other "
                "judges. What can be compared is a direction: which of two rows is the "
                "higher, there and here.",
                f"Brackets hold {percent} intervals from {of['how']['draws']} bootstrap draws of "
                "the sounds, or what the section says. A direction *shows* when the intervals of "
                "both rows do not overlap. That is a cautious rule: *not decided* means that so "
                "few sounds cannot tell, not that there is no difference. With dozens of "
                "comparisons, one or two may be chance.",
                "*By chance* is what wrong pairs, guessing, or another draw of real sounds would "
                "get; read each column from there. A Fréchet distance of so few sounds is large "
                "by itself, and only rows of equally many sounds compare.",
                "**Fréchet, judge**: statistics of log-mels, no network, shared with no pack; "
                "lower is better. **Fréchet, pack** and **picture score** use the pack's own "
                "encoders, which its generator learned towards: a kind witness.",
                "**SSMS**: the likeliest labels that a real and a generated sound share, 10 at "
                "best. **Named**: how often the class is the judge's first guess, or among five. "
                "The judge learned from sounds that no part of the pack has seen. It knows a few "
                "dozen classes with labels from file names, where BEATs knows 527: chance is high.",
                "↓ lower is better, ↑ higher is better. – was not reported or not measured.",
            ]
        )
    }"""


def _short(sections: Sequence[Section]) -> str:
    verdicts = [verdict for section in sections for verdict in section.verdicts]
    rows = [[section.title, *_counts(section.verdicts)] for section in sections if section.verdicts]
    rows.append(["**all**", *(f"**{count}**" for count in _counts(verdicts))])
    head = ["directions of", "show here", "other way round", "not decided", "not measured"]
    against = [
        [section.title, *verdict.cells[:2]]
        for section in sections
        for verdict in section.verdicts
        if verdict.outcome == "other way"
    ]
    parts = [
        "## In short\n",
        f"{summary(verdicts)[0].upper()}{summary(verdicts)[1:]}\n",
        table(head, rows),
    ]
    if against:
        parts += ["What goes the other way round here:\n"]
        parts += [table(["of", "direction", "ours"], against, "left")]
    return "\n".join(parts)


def _counts(verdicts: Sequence[Verdict]) -> list[str]:
    outcomes = ("shows", "other way", "open", "not measured")
    return [str(sum(v.outcome == outcome for v in verdicts)) for outcome in outcomes]


def _end(parts: Figures) -> str:
    rows = [[name, f"{parts[name]['seconds']:.0f} s"] for name in PARTS if name in parts]
    return "## What was measured when\n\n" + table(["part", "took"], rows)
