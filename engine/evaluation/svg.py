"""Plots as SVG text: scatters of two kinds of points, canonical plots, chord diagrams.

Lines and words take the page's own colour (``currentColor``), so that they can be read on light
and on dark ground. Points carry their names as tooltips.
"""

from __future__ import annotations

import colorsys
import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

import numpy as np
from numpy.typing import NDArray

Points = NDArray[np.float64]
SIDE = 400
MARGIN = 14
GOLDEN = 0.381966
GAP = 0.035  # rad between the arcs of a chord diagram
RADIUS = 175.0
CHORD_SIDE = 640


@dataclass(frozen=True)
class Marks:
    """Points (N, 2) of a scatter: circles, or crosses; a colour and a name for each."""

    places: Points
    colours: Sequence[str]
    names: Sequence[str]
    crosses: bool = False


@dataclass(frozen=True)
class Ring:
    """A circle in the units of the points: ``dashed`` or not."""

    centre: tuple[float, float]
    radius: float
    colour: str
    dashed: bool = False


def palette(count: int) -> list[str]:
    """Return ``count`` colours that differ and show on light and dark ground."""
    colours = []
    for index in range(count):
        lightness = (0.45, 0.62)[index % 2]
        red, green, blue = colorsys.hls_to_rgb((0.58 + index * GOLDEN) % 1.0, lightness, 0.62)
        colours.append(f"#{round(red * 255):02x}{round(green * 255):02x}{round(blue * 255):02x}")
    return colours


def scatter(marks: Sequence[Marks], what: str, rings: Sequence[Ring] = ()) -> str:
    """Return a square plot of all marks, both axes in one scale."""
    low, scale = _window(marks, rings)

    def place(point: Points | tuple[float, float]) -> tuple[float, float]:
        x, y = (np.asarray(point) - low) * scale
        return float(x + MARGIN), float(SIDE - MARGIN - y)

    parts = [_frame(), *(_ring(ring, place(ring.centre), scale) for ring in rings)]
    for group in marks:
        for point, colour, name in zip(group.places, group.colours, group.names, strict=True):
            x, y = place(point)
            parts.append(_cross(x, y, colour, name) if group.crosses else _dot(x, y, colour, name))
    return _svg(SIDE, SIDE, what, parts)


def _window(marks: Sequence[Marks], rings: Sequence[Ring]) -> tuple[Points, float]:
    """Return the lower left corner of what is shown, and pixels per unit."""
    reach = [group.places for group in marks if len(group.places)]
    for ring in rings:
        centre = np.array(ring.centre)
        reach.append(np.stack([centre - ring.radius, centre + ring.radius]))
    everything = np.concatenate(reach)
    low, high = everything.min(0), everything.max(0)
    span = max(float((high - low).max()), 1e-9)
    return (low + high - span) / 2, (SIDE - 2 * MARGIN) / span


def _frame() -> str:
    return (
        f'<rect x=".5" y=".5" width="{SIDE - 1}" height="{SIDE - 1}" fill="none" '
        'stroke="currentColor" stroke-opacity=".25"/>'
    )


def _ring(ring: Ring, centre: tuple[float, float], scale: float) -> str:
    dashes = ' stroke-dasharray="5 4"' if ring.dashed else ""
    return (
        f'<circle cx="{centre[0]:.1f}" cy="{centre[1]:.1f}" r="{ring.radius * scale:.1f}" '
        f'fill="none" stroke="{ring.colour}" stroke-width="1.5"{dashes}/>'
    )


def _dot(x: float, y: float, colour: str, name: str) -> str:
    return (
        f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3.6" fill="{colour}" fill-opacity=".8">'
        f"<title>{escape(name)}</title></circle>"
    )


def _cross(x: float, y: float, colour: str, name: str) -> str:
    return (
        f'<path d="M{x - 3.6:.1f} {y - 3.6:.1f}l7.2 7.2m0-7.2l-7.2 7.2" stroke="{colour}" '
        f'stroke-width="1.8" fill="none"><title>{escape(name)}</title></path>'
    )


def chord(names: Sequence[str], links: Points, colours: Sequence[str], what: str) -> str:
    """Return a chord diagram of ``links`` (N, N), symmetric and not negative; 0 draws nothing.

    An arc is as long as the sum of its links; a ribbon is as wide at each end as its link.
    The diagonal is left out.
    """
    wide = np.where(np.eye(len(names), dtype=bool), 0.0, links)
    arcs = _arcs(wide)
    ribbons = [
        _ribbon(arcs, wide, (i, j), colours[i], f"{names[i]} and {names[j]}: {links[i, j]:.2f}")
        for i in range(len(names))
        for j in range(i + 1, len(names))
        if wide[i, j] > 0
    ]
    rims = [_rim(arcs[i], names[i], colours[i]) for i in range(len(names))]
    half = CHORD_SIDE / 2
    return _svg(
        CHORD_SIDE,
        CHORD_SIDE,
        what,
        [f'<g transform="translate({half:g} {half:g})">', *ribbons, *rims, "</g>"],
    )


def _arcs(wide: Points) -> list[tuple[float, float]]:
    """Return start and end (rad) of each name's arc; a name without links keeps a small one."""
    totals = wide.sum(1)
    totals = totals + max(float(totals.sum()), 1.0) * 0.004
    room = 2 * math.pi - GAP * len(totals)
    lengths = totals / totals.sum() * room
    starts = np.cumsum(np.concatenate([[0.0], lengths[:-1] + GAP]))
    return [
        (float(start), float(start + long)) for start, long in zip(starts, lengths, strict=True)
    ]


def _share(arcs: list[tuple[float, float]], wide: Points, of: int, to: int) -> tuple[float, float]:
    """Return the part of an arc that belongs to one link: nearest neighbours first."""
    start, end = arcs[of]
    total = float(wide[of].sum())
    order = [(of - step) % len(arcs) for step in range(1, len(arcs))]
    before = float(sum(wide[of, other] for other in order[: order.index(to)]))
    scale = (end - start) / total
    return start + before * scale, start + (before + float(wide[of, to])) * scale


def _ribbon(
    arcs: list[tuple[float, float]], wide: Points, ends: tuple[int, int], colour: str, name: str
) -> str:
    first = _share(arcs, wide, *ends)
    second = _share(arcs, wide, ends[1], ends[0])
    path = (
        f"M{_at(first[0])}A{RADIUS:g} {RADIUS:g} 0 0 1 {_at(first[1])}Q0 0 {_at(second[0])}"
        f"A{RADIUS:g} {RADIUS:g} 0 0 1 {_at(second[1])}Q0 0 {_at(first[0])}Z"
    )
    return (
        f'<path d="{path}" fill="{colour}" fill-opacity=".45" stroke="{colour}" '
        f'stroke-width=".6"><title>{escape(name)}</title></path>'
    )


def _rim(arc: tuple[float, float], name: str, colour: str) -> str:
    large = int(arc[1] - arc[0] > math.pi)
    outer, inner = RADIUS + 12, RADIUS + 3
    path = (
        f"M{_at(arc[0], inner)}A{inner:g} {inner:g} 0 {large} 1 {_at(arc[1], inner)}"
        f"L{_at(arc[1], outer)}A{outer:g} {outer:g} 0 {large} 0 {_at(arc[0], outer)}Z"
    )
    middle = (arc[0] + arc[1]) / 2
    is_left = middle > math.pi
    turn = math.degrees(middle) - 90 + (180 if is_left else 0)
    anchor = "end" if is_left else "start"
    x, y = _at(middle, outer + 6).split()
    return (
        f'<path d="{path}" fill="{colour}"><title>{escape(name)}</title></path>'
        f'<text transform="translate({x} {y}) rotate({turn:.1f})" text-anchor="{anchor}" '
        f'dy=".35em" font-size="13" fill="currentColor">{escape(name)}</text>'
    )


def _at(angle: float, radius: float = RADIUS) -> str:
    """Return "x y" of a place on a circle; 0 is at the top, clockwise."""
    return f"{radius * math.sin(angle):.2f} {-radius * math.cos(angle):.2f}"


def _svg(width: int, height: int, what: str, parts: Sequence[str]) -> str:
    return (
        f'<svg viewBox="0 0 {width} {height}" role="img" aria-label="{escape(what)}" '
        f'xmlns="http://www.w3.org/2000/svg" font-family="inherit">{"".join(parts)}</svg>'
    )
