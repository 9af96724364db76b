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


def _precision(options: Mapping[str, Mapping[str, Any]]) -> str:
    rows = [
        [
            name,
            f"{of['final_ratio']:.2f}",
            f"{of['preview_ratio']:.2f}",
            f"{of['warm_up_s']:.1f} s",
            f"{of['mel_error_db']:.2f} dB",
        ]
        for name, of in options.items()
    ]
    head = """`wildtrack bench render --precision ...` and `--compile`: time over that of float32
without compilation, stem by stem in turn in one run; below 1 is faster. The error is the mean
distance of the log-mel pictures. What is not faster without a price is off by default.

"""
    columns = ["generator in", "final", "preview", "first render", "error"]
    return head + _table(columns, rows)


def _demo(seconds: Mapping[str, Mapping[str, float | None]]) -> str:
    rows = [
        [stage, *("" if value is None else f"{value:.2f}" for value in (of["cold"], of["warm"]))]
        for stage, of in seconds.items()
    ]
    head = """`wildtrack demo`: the first render starts the engine; the second is another seed on
the warm one.

"""
    return head + _table(["seconds for", "cold", "warm"], rows)


def _round_trip(of: Mapping[str, Any]) -> str:
    pings = [
        [
            f"{row['transport'].upper()}, {'rendering' if row['while_rendering'] else 'at rest'}",
            *(f"{row[key]:.2f} ms" for key in ("p50_ms", "p99_ms", "worst_ms")),
        ]
        for row in of["pings"]
    ]
    settings = of["settings"]
    stream = [
        ["`source/set` sent", f"{settings['sent']:,} in {settings['seconds']:.0f} s"],
        ["answered", f"{settings['answered']:,}: {settings['rate_hz']:,.0f} a second"],
        ["failed, lost", f"{settings['failed']}, {settings['lost']}"],
        ["last answer after the last was sent", f"{1000 * settings['last_answer_s']:.0f} ms"],
        [
            "last value in the journal after `kill -9`",
            "yes" if settings["last_value_in_journal"] else "NO",
        ],
    ]
    head = f"""`python tests/benchmarks/round_trip.py`: {of["pings"][0]["count"]:,} pings
each on loopback, with the starter rendering without a pause or not at all; then settings over TCP
at a steady pace from another process, each answered after it is on disk.

"""
    tables = (
        _table(["ping", "p50", "p99", "worst"], pings),
        _table(["settings", "measured"], stream),
    )
    return head + "\n".join(tables)


def _cancel_latency(of: Mapping[str, Any]) -> str:
    ms, steps = of["latency_ms"], of["latency_steps"]
    rows = [
        [name, f"{ms[name]:.1f} ms", f"{steps[name]:.2f} steps"] for name in ("p50", "p99", "max")
    ]
    head = f"""`python tests/benchmarks/cancel_latency.py`: {of["cancels"]} final
renders of the starter cancelled at random moments, from sending `job/cancel` to `cancelled`;
a sampler step takes {of["sampler_step_ms"]:.1f} ms. Files left in stems, takes and jobs:
{len(of["left"])}.

"""
    return head + _table(["", "time", "sampler steps"], rows)


def _kill_cycles(sessions: Sequence[Mapping[str, Any]]) -> str:
    names = [
        key
        for key, value in sessions[0].items()
        if isinstance(value, int) and not isinstance(value, bool) and key not in ("cycles", "seed")
    ]
    rows = [[key.replace("_", " "), *(f"{of[key]:,}" for of in sessions)] for key in names]
    rows += [
        [
            f"from the kill to the first answer, {name}",
            *(f"{of['first_answer_s'][name]:.2f} s" for of in sessions),
        ]
        for name in ("p50", "p99", "max")
    ]
    cycles = sum(of["cycles"] for of in sessions)
    head = f"""`python tests/benchmarks/kill_cycles.py`: `kill -9` {cycles} times in all, in
{len(sessions)} sessions at once, at random moments of edits and renders under the supervisor of
`wildtrack up`, which waits half a second before it starts an engine again.

"""
    columns = ["", *(f"session {number}" for number in range(1, len(sessions) + 1))]
    return head + _table(columns, rows)


def _soak(of: Mapping[str, Any]) -> str:
    warm, end = of["warm"], of["end"]
    rows = [
        ["memory", f"{warm['memory_bytes'] / 1e6:.1f} MB", f"{end['memory_bytes'] / 1e6:.1f} MB"],
        *([name, str(warm[name]), str(end[name])] for name in ("threads", "files", "sockets")),
        ["stems on disk", *(f"{level['stems_bytes'] / 1e6:.1f} MB" for level in (warm, end))],
    ]
    head = f"""`python tests/benchmarks/soak.py`: {of["renders"]:,} renders of a tiny pack in
{of["seconds"] / 60:.0f} minutes while {of["guests"]:,} clients came and left, a hundred at a time.
Memory grew by {100 * of["growth"]:.1f} %.

"""
    return head + _table(["the engine", "after the warm-up", "at the end"], rows)


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
    "precision": ("Other precisions, and compiling", _precision),
    "demo": ("The demo: a frame, two texts, an audio clip", _demo),
    "round_trip": ("Answers while it renders, and edits a second", _round_trip),
    "cancel_latency": ("From cancel to silence", _cancel_latency),
    "kill_cycles": ("Two hundred kills", _kill_cycles),
    "soak": ("Ten thousand renders", _soak),
    "osc_flood": ("A million malformed datagrams", _osc_flood),
}
"""Title and text of each part."""
