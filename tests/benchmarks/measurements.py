"""Everything that docs/measurements.md says, measured in one run on this machine.

    python tests/benchmarks/measurements.py

Run it on an idle machine. It calls the commands that a user has, writes their figures to
docs/measurements.json, the page from them, and the demo's picture to docs/demo.png. Tests fail when
page and figures differ, or when they are of another pack than the one in the install.
"""

from __future__ import annotations

import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
FIGURES = ROOT / "docs" / "measurements.json"
PICTURE = ROOT / "docs" / "demo.png"
PAGE = ROOT / "docs" / "measurements.md"
FIXTURES = ("small", "two_layers")


def measure() -> dict[str, Any]:
    """Run the benchmarks one after the other, keep the demo's picture, return the figures."""
    with tempfile.TemporaryDirectory() as folder:
        demo = _wildtrack("demo", "--out", str(Path(folder) / "demo"))
        [picture] = (Path(folder) / "demo").glob("*.png")
        shutil.copy(picture, PICTURE)
        return {
            "pack": _wildtrack("models", "list")[0]["digest"],
            "date": datetime.now(UTC).date().isoformat(),
            "machine": f"{platform.machine()}, {os.cpu_count()} cores, no GPU used",
            "python": platform.python_version(),
            "parity": {
                name: _wildtrack("models", "parity", str(ROOT / "tests/data/ssv2a" / name))
                for name in FIXTURES
            },
            "cycle_mix": _wildtrack("bench", "cycle-mix"),
            "render": _wildtrack("bench", "render"),
            "demo": demo["seconds"],
        }


def page(figures: Mapping[str, Any]) -> str:
    """Return docs/measurements.md."""
    return f"""# Measurements

Measured on {figures["date"]} on {figures["machine"]}, Python {figures["python"]}, by
`python tests/benchmarks/measurements.py`, which wrote this page. What the starter can do is in
its [model card](../presets/packs/starter/README.md).

## SSV2A against the published numbers

{_parity(figures["parity"])}
## Cycle Mix at the released size

{_cycle_mix(figures["cycle_mix"])}
## One stem with the starter

{_render(figures["render"])}
## The demo: a frame, two texts, an audio clip

{_demo(figures["demo"])}"""


def _parity(fixtures: Mapping[str, Sequence[Mapping[str, Any]]]) -> str:
    rows = [
        [name, f"{sum(row['ok'] for row in found)} of {len(found)}", f"{_worst(found):.1e}"]
        for name, found in fixtures.items()
    ]
    return _table(["fixture", "tensors within 1e-5", "largest error"], rows)


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
    head = f"""{of["parameters"] / 1e6:.1f} million parameters, {of["sources"]} sources,
{of["iterations"]} iterations of {of["samples"]} samples of {of["draws"]} draws, {of["threads"]}
threads, all in one run (`wildtrack bench cycle-mix`).

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


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "".join(f"| {' | '.join(cells)} |\n" for cells in lines)


def _wildtrack(*words: str) -> Any:
    command = [sys.executable, "-m", "plugin_host.cli", *words, "--json"]
    print(*words, file=sys.stderr)
    return json.loads(subprocess.run(command, check=True, capture_output=True, cwd=ROOT).stdout)


def main() -> None:
    """Measure, then write figures and page."""
    figures = measure()
    FIGURES.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")
    PAGE.write_text(page(figures), encoding="utf-8")


if __name__ == "__main__":
    main()
