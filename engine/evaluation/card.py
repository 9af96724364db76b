"""The starter's model card, written from the figures that :mod:`engine.evaluation.starter` gives.

``figures.json`` lies beside the card; a test writes the card anew and fails when it differs.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from engine.training.corpus import class_text

ROWS = {
    "real": "real recordings",
    "codec": "real recordings through codec and vocoder",
    "generated": "generated from their words",
    "prototype": "mean picture of the class (no generator)",
}


def write_card(figures: Mapping[str, Any]) -> str:
    """Return the card as Markdown."""
    parts = [
        _head(figures),
        _judge(figures["judge"]),
        _copies(figures["copies"]),
        _edges(figures["edges"]),
        _retrieval(figures["retrieval"]),
        _weak(figures["judge"]),
        _data(figures["corpus"]),
        _encoders(figures["encoders"]),
        _licence(),
    ]
    return "\n".join(parts)


def _head(figures: Mapping[str, Any]) -> str:
    plan, corpus = figures["plan"], figures["corpus"]
    steps = plan["generator"]["steps"]
    return f"""# Starter pack, version 0

The pack inside Wildtrack's install: an audio encoder, a small SSV2A, a mel codec and a
rectified-flow generator, trained by `make starter` on {corpus["sounds"]} freely licensed sounds
({corpus["hours"]} hours), seed {plan["seed"]}, {steps} generator steps, on two processor cores. It
reads pictures and words with EfficientNet-Lite2 and MiniLM, which come as Python packages.

Mono, 22.05 kHz, content up to 8 kHz (Wildtrack delivers 48 kHz and says so), 0.3 to 10 seconds.
Every figure below is written by `wildtrack train report` from `figures.json` beside this file.
"""


def _judge(judge: Mapping[str, Any]) -> str:
    rows = [
        [name, *(_percent(judge["rows"][row][top]) for top in ("top_1", "top_5"))]
        for row, name in ROWS.items()
    ]
    rows.append(["chance", _percent(judge["chance"]["top_1"]), _percent(judge["chance"]["top_5"])])
    ratio = judge["generated_over_codec_top_5"]
    return f"""## Are generated sounds recognised?

A judge (statistics of log-mels, extremely randomised trees) learned {judge["classes"]} classes
from {judge["taught"]} sounds of packages that neither encoder nor generator saw: the `judge` split,
and packages whose licence kept them from training. It names the class of {judge["sounds"]}
held-out sounds, and of what the pack makes of their words at their length:

{_table(["sounds", "top-1", "top-5"], rows)}
Generated sounds are named {ratio:.2f} times as often (top-5) as the real ones put through the same
codec and vocoder; the bar for version 0 is 0.70. Above 1 would not mean better than real: guidance
pulls towards what is typical of a class.

What codec and vocoder take from real recordings (the first row against the second) they take from
generated ones too: that is where most is to be won. The judge is no expert: labels come from file
names, and a class often sounds different in every package, so read the rows against each other.
"""


def _copies(copies: Mapping[str, Any]) -> str:
    return f"""## Does it copy?

Distance to the nearest training sound, in codec tokens over the active part. The threshold
{copies["threshold"]:.3f} catches 95 % of {copies["planted"]} planted copies (training sounds
through codec and vocoder at another level).

{
        _table(
            ["sounds", "median distance", "below the threshold"],
            [
                ["planted copies", f"{copies['planted_median']:.3f}", "95 %"],
                [
                    "generated",
                    f"{copies['generated_median']:.3f}",
                    _percent(copies["generated_below"]),
                ],
                [
                    "held-out real",
                    f"{copies['held_out_real_median']:.3f}",
                    _percent(copies["held_out_real_below"]),
                ],
            ],
        )
    }
The comparison is aligned at the start: a copy that begins later would be missed.
"""


def _edges(edges: Mapping[str, float]) -> str:
    return f"""## Stripes at patch edges

Mean step between neighbouring frames at codec patch edges over that inside patches (1 = none):
real {edges["real"]:.2f}, generated {edges["generated"]:.2f}. The spectrogram sheet is
[docs/starter-sheet.png](../../../docs/starter-sheet.png).
"""


def _retrieval(retrieval: Mapping[str, Any]) -> str:
    names = {"text_to_audio": "text to sound", "image_to_audio": "picture to sound"}
    rows = [
        [
            names[kind],
            str(of["count"]),
            f"{_percent(of['at_1'])} ({_percent(1 / of['count'])})",
            f"{_percent(of['at_5'])} ({_percent(5 / of['count'])})",
        ]
        for kind, of in retrieval.items()
    ]
    return f"""## Retrieval through the manifold

Held-out pairs of the `test` split; chance in brackets.

{_table(["from", "pairs", "R@1", "R@5"], rows)}"""


def _weak(judge: Mapping[str, Any]) -> str:
    rows = sorted(
        (
            [class_text(name), _percent(of["codec"]["top_5"]), _percent(of["generated"]["top_5"])]
            for name, of in judge["by_class"].items()
        ),
        key=lambda row: row[0],
    )
    return f"""## By class (top-5)

{_table(["class", "real through codec", "generated"], rows)}
Few sounds a class: read the table for what is plainly weak, not for small differences. Noise,
impacts and steady tones come out; moving pitch (birds, sirens), speech, music and anything
that tells a story in time do not. Classes with under twenty training sounds are guesses.
"""


def _data(corpus: Mapping[str, Any]) -> str:
    counts = ", ".join(f"{name} {count}" for name, count in corpus["classes"].items())
    pictures = ", ".join(
        f"{count} {role} of {name} ({licence})" for name, role, licence, count in corpus["pictures"]
    )
    rows = [[name, licence, str(count)] for name, licence, count in corpus["packages"]]
    return f"""## Training data

Sounds by class, from file names that nobody checked by ear: {counts}.

Pictures: {pictures}.

{_table(["Debian package or collection", "licence", "sounds"], rows)}"""


def _encoders(encoders: Sequence[Sequence[str]]) -> str:
    return f"""## What it sees and reads with

Not trained by us and not in this folder: these come as packages of their own.

{_table(["package", "licence", "part"], encoders)}"""


def _licence() -> str:
    return """## Licence

The weights carry the project's licence, AGPL-3.0-or-later: they are taken, conservatively, as a
work derived from the sounds above, all of them under licences that allow it. Sounds under
GPL-2-only, sampling licences or unclear terms were left out.

What is known about a generated sound: it is not a recording, and the check above measures how
rarely one comes close to a training sound. What is not known: whether a court would see it as
derived from the training sounds, in which case their attribution and share-alike terms would
reach it. Wildtrack writes pack, hashes and licence into each delivery so that you can decide.
"""


def _percent(part: float) -> str:
    return f"{100 * part:.1f} %"


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "".join(f"| {' | '.join(cells)} |\n" for cells in lines)
