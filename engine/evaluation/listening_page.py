"""The survey page: one HTML file that loads nothing but the samples and pictures beside it."""

from __future__ import annotations

import base64
import hashlib
import json
from dataclasses import asdict, dataclass
from html import escape
from importlib.resources import files

from engine.evaluation.html import STYLE

SCRIPT = "listening.js"
SCALE = ("1 Bad", "2 Poor", "3 Fair", "4 Good", "5 Excellent")  # ITU-T P.800, absolute category
ASKED = {
    "fidelity": "How real does each sample sound as a recording of this? Judge the sound alone.",
    "relevance": "How well does each sample fit this picture?",
}
CONSENT = (
    "You will hear short sounds and rate them from 1 (bad) to 5 (excellent).",
    "Use headphones in a quiet place, and set a comfortable level before the first question.",
    "Your ratings, and how long you listened, are written to a table on this device. Nothing is "
    "sent anywhere: at the end you save the table and hand it over yourself.",
    "No name and nothing else about you is recorded, only a random number.",
    "You may stop at any time; what you erase or do not hand over is not used.",
)
LOOK = """
main { max-width: 46rem; margin: 0 auto; }
h1:focus { outline: none; }
.bar { height: .4rem; border-radius: .2rem; background: var(--line); overflow: hidden; }
.bar div { height: 100%; background: var(--mark); }
.tag { font-size: 1.15rem; font-weight: 600; }
.seen { max-width: 100%; max-height: 42vh; border-radius: .4rem; display: block; margin: 1rem 0; }
fieldset { border: 1px solid var(--line); border-radius: .5rem; margin: 1rem 0; padding: .6rem 1rem;
  min-width: 0; }
legend { font-weight: 600; padding: 0 .3rem; }
audio { width: 100%; display: block; margin: .3rem 0 .7rem; }
.scale { display: grid; grid-template-columns: repeat(5, 1fr); gap: .3rem; }
.scale label { display: flex; flex-direction: column; align-items: center; gap: .2rem;
  padding: .4rem .2rem; border-radius: .4rem; font-size: .85rem; text-align: center; }
.scale label:has(:checked) { background: var(--shade); outline: 2px solid var(--mark); }
.scale input { width: 1.2rem; height: 1.2rem; accent-color: var(--mark); }
fieldset:not(.heard) .scale { opacity: .45; }
.hint { font-size: .85rem; color: var(--soft); margin: .3rem 0 0; min-height: 1.4em; }
button { font: inherit; padding: .55rem 1.3rem; border-radius: .45rem;
  border: 1px solid var(--mark); background: var(--mark); color: var(--paper); cursor: pointer; }
button.quiet { background: none; color: var(--ink); border-color: var(--line); }
textarea { width: 100%; height: 12rem; font: .8rem monospace; }
button:disabled { opacity: .45; cursor: default; }
button:focus-visible, input:focus-visible { outline: 3px solid var(--mark); outline-offset: 2px; }
.do { display: flex; gap: .8rem; align-items: center; flex-wrap: wrap; margin-top: 1.2rem; }
"""


@dataclass(frozen=True)
class Question:
    """One screen: a tag or a picture ("" for none), and the samples to be rated."""

    id: str
    tag: str
    samples: tuple[str, ...]
    image: str


@dataclass(frozen=True)
class Section:
    """``ask`` of the questions are drawn for each participant."""

    name: str
    ask: int
    questions: tuple[Question, ...]


@dataclass(frozen=True)
class Page:
    """All that the page knows; ``repeats`` questions of each section come twice."""

    kit: str
    title: str
    sections: tuple[Section, ...]
    repeats: int


def survey_page(page: Page) -> str:
    """Return the page. Its policy allows this one script, and files beside it, nothing else."""
    script = (files("engine.evaluation") / SCRIPT).read_text(encoding="utf-8")
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    known = {**asdict(page), "scale": SCALE, "asked": ASKED}
    data = json.dumps(known, ensure_ascii=True).replace("<", "\\u003c")
    consent = "".join(f"<li>{escape(line)}</li>" for line in CONSENT)
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; media-src 'self' file:;
 img-src 'self' file:; style-src 'unsafe-inline'; script-src 'sha256-{digest}'">
<title>{escape(page.title)}</title>
<style>{STYLE}{LOOK}</style>
</head>
<body>
<main id="main">
<h1>{escape(page.title)}</h1>
<ul>{consent}</ul>
<p><label><input type="checkbox" id="agree">
 I have read this and take part of my own will.</label></p>
<div class="do"><button id="begin" disabled>Begin</button>
<button id="resume" class="quiet" disabled hidden>Go on where this device stopped</button></div>
<noscript><p>This page needs JavaScript; nothing that it does leaves your device.</p></noscript>
</main>
<script type="application/json" id="survey">{data}</script>
<script>{script}</script>
</body>
</html>
"""
