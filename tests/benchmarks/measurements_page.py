"""docs/measurements.md, made from docs/measurements.json: text and tables, nothing is measured."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

HEAD = """# Measurements

`python tests/benchmarks/measurements.py` measures and writes this page; each section names its
date, its machine and the command that anybody can run. What the starter can do is in its
[model card](../presets/packs/starter/README.md).
"""


def page(measured: Mapping[str, Mapping[str, Any]]) -> str:
    """Return the page of what was measured, part by part in their order."""
    parts = [HEAD]
    for name, record in measured.items():
        title, text = SECTIONS[name]
        place = f"{record['machine']}, Python {record['python']}"
        parts.append(
            f"\n## {title}\n\n*Measured on {record['date']}: {place}.*\n\n{text(record['figures'])}"
        )
    return "".join(parts)


def _parity(fixtures: Mapping[str, Sequence[Mapping[str, Any]]]) -> str:
    rows = [
        [name, f"{sum(row['ok'] for row in found)} of {len(found)}", f"{_worst(found):.1e}"]
        for name, found in fixtures.items()
    ]
    head = "`wildtrack models parity DIR`, over the fixtures in `tests/data/ssv2a`.\n\n"
    return head + _table(["fixture", "tensors within 1e-5", "largest error"], rows)


def _worst(rows: Sequence[Mapping[str, Any]]) -> float:
    return max(float(row["max_abs_error"]) for row in rows)


def _cycle_mix(of: Mapping[str, Any]) -> str:
    rows = [
        ["Wildtrack", f"{of['fast_s']:.2f} s", "all of it", "1"],
        [
            "plain loop, one pass a draw",
            f"{of['plain_s']:.0f} s",
            f"{of['timed_draws']} draws timed, the rest extrapolated",
            f"{of['plain_s'] / of['fast_s']:.0f}",
        ],
        [
            "plain loop, one pass a sample",
            f"{of['published_s']:.0f} s",
            f"{of['timed_samples']} samples and one round timed, the rest extrapolated",
            f"{of['published_s'] / of['fast_s']:.0f}",
        ],
    ]
    head = f"""`wildtrack bench cycle-mix`: {of["parameters"] / 1e6:.1f} million parameters,
{of["sources"]} sources, {of["iterations"]} iterations of {of["samples"]} samples of {of["draws"]}
draws, {of["threads"]} threads, all in one run.

"""
    return head + _table(["", "time", "measured", "times slower"], rows)


def _render(of: Mapping[str, Any]) -> str:
    rows = [
        ["load the pack", f"{of['load_s']:.2f} s"],
        [f"{of['duration_s']:g} s stem, cold (with loading)", f"{of['cold_s']:.2f} s"],
        [f"{of['duration_s']:g} s stem, warm, final", f"{of['final_s']:.2f} s"],
        [f"{of['duration_s']:g} s stem, warm, preview", f"{of['preview_s']:.2f} s"],
        ["memory of the process", f"{of['memory_bytes'] / 1e6:.0f} MB"],
    ]
    head = f"""`wildtrack bench render`: from words to 48 kHz samples, {of["threads"]} threads,
medians of {of["repeats"]} warm stems.

"""
    return head + _table(["", "measured"], rows)


def _demo(seconds: Mapping[str, Mapping[str, float | None]]) -> str:
    rows = [
        [stage, *("" if value is None else f"{value:.2f}" for value in (of["cold"], of["warm"]))]
        for stage, of in seconds.items()
    ]
    head = """`wildtrack demo`: the first render starts the engine; the second is another seed on
the warm one.

"""
    return head + _table(["seconds for", "cold", "warm"], rows)


def _osc_flood(of: Mapping[str, Any]) -> str:
    warm, end = of["memory_warm_bytes"] / 1e6, of["memory_end_bytes"] / 1e6
    rows = [
        ["malformed datagrams sent", f"{of['datagrams']:,} in {of['seconds']:.0f} s"],
        ["exceptions outside the error map", str(of["exceptions"])],
        ["memory after the warm-up, at the end", f"{warm:.1f} MB, {end:.1f} MB"],
        ["pings unanswered meanwhile", f"{of['pings']['unanswered']} of {of['pings']['sent']}"],
        [
            "round trip of these pings, p50 and p99",
            f"{of['pings']['p50_ms']:.2f} ms, {of['pings']['p99_ms']:.2f} ms",
        ],
    ]
    head = f"""`python tests/benchmarks/osc_flood.py`: random bytes, damaged requests, lying sizes,
deep bundles, wrong type tags, text that is not UTF-8, from ever new clients, after a warm-up of
{of["warm_up"]:,}.

"""
    return head + _table(["", "measured"], rows)


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "".join(f"| {' | '.join(cells)} |\n" for cells in lines)


SECTIONS: dict[str, tuple[str, Callable[[Any], str]]] = {
    "parity": ("SSV2A against the published numbers", _parity),
    "cycle_mix": ("Cycle Mix at the released size", _cycle_mix),
    "render": ("One stem with the starter", _render),
    "demo": ("The demo: a frame, two texts, an audio clip", _demo),
    "osc_flood": ("A million malformed datagrams", _osc_flood),
}
"""Title and text of each part."""
