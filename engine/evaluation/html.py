"""Self-contained HTML pages: text, tables and inlined pictures; nothing is fetched from outside.

Every text is escaped. Pages follow the reader's light or dark theme and print in black on white.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape
from typing import Literal

STYLE = """
:root { color-scheme: light dark; --ink: #1d1d1f; --soft: #60646c; --line: #d9dce1;
  --paper: #ffffff; --shade: #f4f5f7; --mark: #0b62c4; }
@media (prefers-color-scheme: dark) { :root { --ink: #e8e8ea; --soft: #a2a7b0; --line: #3a3d44;
  --paper: #16171a; --shade: #202227; --mark: #7db4ff; } }
@media print { :root { --ink: #000; --soft: #444; --line: #bbb; --paper: #fff; --shade: #fff; } }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 2rem 1.25rem 4rem; max-width: 68rem; background: var(--paper);
  color: var(--ink); font: 16px/1.55 system-ui, "Segoe UI", Roboto, "DejaVu Sans", sans-serif; }
h1 { font-size: 1.7rem; line-height: 1.2; margin: 0 0 .4rem; }
h2 { font-size: 1.25rem; margin: 2.4rem 0 .6rem; border-top: 1px solid var(--line);
  padding-top: 1.4rem; }
h3 { font-size: 1rem; margin: 1.4rem 0 .4rem; }
p, ul { max-width: 46rem; }
.lead, .note { color: var(--soft); }
.note { font-size: .875rem; }
.scroll { overflow-x: auto; margin: 1rem 0; }
table { border-collapse: collapse; font-size: .9rem; font-variant-numeric: tabular-nums; }
caption { text-align: left; color: var(--soft); padding-bottom: .4rem; font-size: .875rem; }
th, td { padding: .35rem .8rem; text-align: right; border-bottom: 1px solid var(--line); }
th { background: var(--shade); font-weight: 600; white-space: nowrap; }
th:first-child, td:first-child { text-align: left; }
tbody th { background: none; font-weight: 400; text-align: left; white-space: normal; }
.row { display: grid; grid-template-columns: repeat(auto-fit, minmax(14rem, 1fr)); gap: 1rem; }
figure { margin: 1rem 0; min-width: 0; }
figcaption { color: var(--soft); font-size: .875rem; }
figure svg, figure img { width: 100%; height: auto; display: block; }
.legend { display: flex; flex-wrap: wrap; gap: .2rem 1rem; padding: 0; list-style: none;
  font-size: .875rem; max-width: none; }
.legend span { display: inline-block; width: .75rem; height: .75rem; border-radius: 50%;
  margin-right: .35rem; vertical-align: -1px; }
"""


@dataclass(frozen=True)
class Table:
    """A table: ``head`` and ``rows`` of equally many cells; the first cell of a row names it."""

    caption: str
    head: Sequence[str]
    rows: Sequence[Sequence[str]]


def text(words: str, kind: Literal["p", "h2", "h3"] = "p", look: str = "") -> str:
    """Return one escaped element; ``look`` is "", "lead" or "note"."""
    chosen = f' class="{look}"' if look else ""
    return f"<{kind}{chosen}>{escape(words)}</{kind}>"


def points(lines: Iterable[str]) -> str:
    """Return a list of escaped lines."""
    return f"<ul>{''.join(f'<li>{escape(line)}</li>' for line in lines)}</ul>"


def table(of: Table) -> str:
    """Return a table that scrolls sideways where the window is narrow."""
    head = "".join(f'<th scope="col">{escape(cell)}</th>' for cell in of.head)
    return (
        f'<div class="scroll"><table><caption>{escape(of.caption)}</caption>'
        f"<thead><tr>{head}</tr></thead><tbody>{''.join(map(_row, of.rows))}</tbody></table></div>"
    )


def _row(cells: Sequence[str]) -> str:
    first, *rest = cells
    return (
        f'<tr><th scope="row">{escape(first)}</th>'
        f"{''.join(f'<td>{escape(cell)}</td>' for cell in rest)}</tr>"
    )


def figure(picture: str, caption: str) -> str:
    """Return a figure around an inlined picture (``<svg>`` or :func:`image`)."""
    return f"<figure>{picture}<figcaption>{escape(caption)}</figcaption></figure>"


def row(figures: Iterable[str]) -> str:
    """Return figures side by side, below each other where there is no room."""
    return f'<div class="row">{"".join(figures)}</div>'


def legend(names: Sequence[str], colours: Sequence[str]) -> str:
    """Return coloured dots with their names."""
    items = (
        f'<li><span style="background:{colour}"></span>{escape(name)}</li>'
        for name, colour in zip(names, colours, strict=True)
    )
    return f'<ul class="legend">{"".join(items)}</ul>'


def image(data: bytes, mime: str, words: str) -> str:
    """Return a picture as a data URI; ``words`` say what it shows."""
    coded = base64.b64encode(data).decode()
    return f'<img alt="{escape(words)}" src="data:{mime};base64,{coded}">'


def page(title: str, lead: str, parts: Iterable[str]) -> str:
    """Return a whole page; its policy lets it load nothing and run nothing."""
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy"
 content="default-src 'none'; img-src data:; style-src 'unsafe-inline'">
<title>{escape(title)}</title>
<style>{STYLE}</style>
</head>
<body>
<h1>{escape(title)}</h1>
<p class="lead">{escape(lead)}</p>
{"".join(parts)}
</body>
</html>
"""
