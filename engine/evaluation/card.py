"""The starter's model card, written from the figures that :mod:`engine.evaluation.starter` gives.

``figures.json`` lies beside the card; a test writes the card anew and fails when it differs.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from engine.evaluation.bars import Bar, bars
from engine.training.corpus import class_text

Figures = Mapping[str, Any]
ROWS = {
    "real": "held-out recordings",
    "taught": "training recordings",
    "codec": "held-out recordings through codec and vocoder",
    "words": "generated from their words",
    "pictures": "generated from unseen pictures",
    "unguided": "generated from their words, guidance 1",
    "prototype": "mean picture of the class (no generator)",
}
JUDGES = {
    "judge": "Statistics of log-mels and extremely randomised trees",
    "aisfx": "A linear probe on the embeddings of aiSFX (Ma and Lerch, ISMIR 2022; CC BY 4.0)",
}


def write_card(figures: Figures) -> str:
    """Return the card as Markdown."""
    parts = [
        _head(figures),
        _bars(bars(figures)),
        _how(figures),
        *(_judge(name, figures) for name in JUDGES),
        _distance(figures),
        _copies(figures["copies"]),
        _retrieval(figures["retrieval"]),
        _stems(figures["muting"]),
        _edges(figures["edges"]),
        _speed(figures["speed"]),
        _by_class(figures["judges"]),
        _data(figures["corpus"]),
        _encoders(figures["encoders"]),
        _licence(),
    ]
    return "\n".join(parts)


def _head(figures: Figures) -> str:
    plan, corpus, pack = figures["plan"], figures["corpus"], figures["pack"]
    steps = plan["generator"]["steps"]
    return f"""# Starter pack, version {pack["version"]}

The pack inside Wildtrack's install: an audio encoder, a small SSV2A, a mel codec and a
rectified-flow generator, trained by `make starter` on {corpus["sounds"]} freely licensed sounds
({corpus["hours"]} hours), seed {plan["seed"]}, {steps} generator steps, on two processor cores. It
reads pictures and words with EfficientNet-Lite2 and MiniLM, which come as Python packages.

Mono, {pack["sample_rate"] / 1000:g} kHz, content up to {pack["bandwidth_hz"] / 1000:g} kHz
(Wildtrack delivers 48 kHz and says so), {pack["min_s"]:g} to {pack["max_s"]:g} seconds,
{pack["megabytes"]:g} MB of weights. Every figure below is written by `wildtrack train report` from
`figures.json` beside this file; manifest `{pack["digest"][:16]}`.
"""


def _bars(found: Sequence[Bar]) -> str:
    rows = [[bar.what, _asked(bar), _measured(bar), bar.outcome] for bar in found]
    reached = sum(bar.is_reached is True for bar in found)
    missed = sum(bar.is_reached is False for bar in found)
    return f"""## Every bar

{reached} of {len(found)} reached, {missed} missed, {len(found) - reached - missed} not measured.
In brackets: the interval that holds 95 of 100 draws of the sounds.

{_table(["bar", "asked", "measured", "outcome"], rows)}"""


def _how(figures: Figures) -> str:
    drawn = figures["drawn"]
    return f"""## How to read this

Every sound that a judge is asked about comes from packages that gave nothing to training: the
`test` split. From each class up to {drawn["each"]} of them are drawn; the pack gets the words of
each, or a picture of the same class from a package of pictures that no stage saw, at the length of
that sound. Rates are means over classes, so that a class with many sounds does not speak for the
others. Guidance is {figures["guidance"]:g}, quality final, seed {drawn["seed"]}.

Classes come from file names that nobody checked by ear, and a class often sounds different in
every package: no judge is an expert here, so read rows against each other. A ratio above 1 does
not mean better than real: guidance pulls towards what is typical of a class. No figure says
whether a sound is pleasant, or right for a moment of a film; nobody has listened for that yet.
"""


def _judge(name: str, figures: Figures) -> str:
    if name not in figures["judges"]:
        why = figures["not_measured"].get(name, "this judge did not listen")
        return f"""## Named by {name}

{JUDGES[name]}. Not measured: {why}.
"""
    found = figures["judges"][name]
    rows = [
        [
            words,
            str(of["sounds"]),
            *(_share(of[f"top_{top}"]) for top in (1, 5)),
            *(_ratio(of.get(f"ratio_{top}")) for top in (1, 5)),
        ]
        for row, words in ROWS.items()
        if (of := found["naming"]["rows"].get(row))
    ]
    chance = [f"{100 * found['chance'][top]:.1f} %" for top in ("top_1", "top_5")]
    head = ["sounds", "count", "top-1", "top-5", "over real, top-1", "over real, top-5"]
    seen = found["naming"]["rows"].get("pictures", {}).get("classes", 0)
    return f"""## Named by {name}

{JUDGES[name]}: taught {found["classes"]} classes by {found["taught_by"]} sounds of
packages that neither encoder nor generator saw, the `judge` split and packages whose licence kept
them from training. Pictures exist for {seen} of the classes; their ratio is to the real sounds of
these.

{_table(head, [*rows, ["chance", "", *chance, "", ""]])}"""


def _distance(figures: Figures) -> str:
    rows = [
        [
            ROWS[row],
            name,
            str(of["sounds"]),
            f"{of['generated']:.3g}",
            f"{of['training']:.3g}",
            _ratio(of["ratio"]),
        ]
        for name, judge in figures["judges"].items()
        for row in ROWS
        if (of := judge["distance"].get(row))
    ]
    head = ["sounds", "embedding", "count", "to held-out", "training to held-out", "ratio"]
    return f"""## Fréchet distance

Distance of a set of sounds to the held-out recordings that they were asked for, and of as many
training recordings of the same classes to the same recordings: what another library gives. The
embedding is the judge's, on its first 64 principal components over the judge's own sounds, with
shrunk covariances. Generated sounds have the lengths of the held-out ones, training sounds their
own.

{_table(head, rows)}"""


def _copies(copies: Figures) -> str:
    rows = [
        [
            words,
            f"{of['generated_median']:.3f}",
            f"{of['real_median']:.3f}",
            f"{of['threshold']:.3f}",
            _share(of["below"]),
        ]
        for key, words in (("tokens", "codec tokens"), ("judge", "judge's description"))
        if (of := copies[key])
    ]
    planted = copies["planted"]
    near = [[name, training, f"{apart:.3f}"] for name, training, apart in copies["closest"]]
    head = ["measure", "generated, median", "held-out real, median", "1st percentile", "below it"]
    return f"""## Does it copy?

Distance to the nearest of all training sounds. Below the 1st percentile of what held-out
recordings have, a generated sound is nearer to training than real sounds happen to be.

{_table(head, rows)}
{planted["count"]} planted copies (training sounds through codec and vocoder at another level) have
a median of {planted["median"]:.3f} in codec tokens; {_percent(planted["generated_below"])} of the
generated and {_percent(planted["real_below"])} of the held-out sounds are nearer than
{planted["threshold"]:.3f}, which catches 95 % of these copies. Tokens are aligned at the start: a
copy that begins later only the other measure would see. The nearest of all, by tokens:

{_table(["generated", "training sound", "distance"], near)}"""


def _retrieval(retrieval: Figures) -> str:
    names = {"image_to_audio": "picture to sound", "text_to_audio": "words to sound"}
    rows = [
        [
            words,
            str(of["count"]),
            *(
                f"{_share(of[f'at_{top}'])}; {of[f'times_chance_{top}']:.1f} x chance"
                for top in (1, 5)
            ),
        ]
        for kind, words in names.items()
        if (of := retrieval.get(kind))
    ]
    return f"""## Retrieval through the manifold

Held-out pairs of the `test` split. The ablations of the paper's Tables 4 and 5 at this scale are
in [docs/evaluation.md](../../../docs/evaluation.md).

{_table(["from", "pairs", "R@1", "R@5"], rows)}"""


def _stems(found: Figures) -> str:
    ways = {"rendered": "the scene rendered again", "left_out": "its stem left out of the sum"}
    rows = [
        [
            words,
            *(_points(found[way][whose]) for whose in ("own", "others")),
            _share(found[way]["own_falls_more"]),
        ]
        for way, words in ways.items()
    ]
    head = ["one source muted", "score of its class", "mean of the others", "its own falls more"]
    return f"""## Consistent stems, and muting one

In {found["scenes"]} scenes of two or three sources, of words and of unseen pictures, the consistent
stems add up to the mix but for {found["residual_db"]["highest"]:.0f} dB at worst. The first
judge's scores (points of 100) after one of {found["sources"]} sources was muted, less those before:

{_table(head, rows)}"""


def _edges(edges: Mapping[str, float]) -> str:
    return f"""## Stripes at patch edges

Mean step between neighbouring frames at codec patch edges over that inside patches (1 = none):
real {edges["real"]:.2f}, generated {edges["words"]:.2f}. The spectrogram sheet is
[docs/starter-sheet.png](../../../docs/starter-sheet.png).
"""


def _speed(speed: Figures) -> str:
    return f"""## Speed

{speed["seconds"]:g} s of sound from words, {speed["threads"]} threads on a machine of
{speed["cores"]} cores ({speed["machine"]}), median of {speed["repeats"]} after a warm-up: final
{speed["final_s"]:.2f} s, preview {speed["preview_s"]:.2f} s.
"""


def _by_class(judges: Figures) -> str:
    columns = ("real", "words", "pictures")
    rows = [
        [
            class_text(kind),
            *(
                _percent(by_class[kind][row]) if row in by_class[kind] else ""
                for by_class in (judge["naming"]["by_class"] for judge in judges.values())
                for row in columns
            ),
        ]
        for kind in sorted(judges["judge"]["naming"]["by_class"])
    ]
    head = ["class", *(f"{row}, {name}" for name in judges for row in columns)]
    return f"""## By class (top-5)

{_table(head, rows)}
Few sounds a class: read the table for what is plainly weak, not for small differences. Classes
with under twenty training sounds are guesses.
"""


def _data(corpus: Figures) -> str:
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


def _asked(bar: Bar) -> str:
    return f"{bar.side} {bar.bar:g}{bar.unit}"


def _measured(bar: Bar) -> str:
    if bar.measured is None:
        return ""
    value = f"{bar.measured:.4g}" if bar.low is None else f"{bar.measured:.2f}"
    if bar.measured >= 1000:
        value = f"{bar.measured:.0f}"
    if bar.low is None or bar.high is None:
        return f"{value}{bar.unit}"
    return f"{value}{bar.unit} ({bar.low:.2f} to {bar.high:.2f})"


def _share(found: Figures) -> str:
    low, high = 100 * found["low"], 100 * found["high"]
    return f"{100 * found['value']:.1f} % ({low:.1f} to {high:.1f})"


def _ratio(found: Figures | None) -> str:
    return f"{found['value']:.2f} ({found['low']:.2f} to {found['high']:.2f})" if found else ""


def _points(found: Figures) -> str:
    value, low, high = (100 * found[key] for key in ("value", "low", "high"))
    return f"{value:+.2f} ({low:+.2f} to {high:+.2f})"


def _percent(part: float) -> str:
    return f"{100 * part:.1f} %"


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "".join(f"| {' | '.join(cells)} |\n" for cells in lines)
