"""Everything that docs/measurements.md says, measured on this machine, part by part.

    python tests/benchmarks/measurements.py             # every part: an hour
    python tests/benchmarks/measurements.py demo soak   # these parts; the others stay as they were

Run it on an idle machine. Each part is one run of the command or script that its section names, and
keeps its date. The figures go to docs/measurements.json, the page is written from them, and the
demo's picture goes to docs/demo.png. Tests fail when page and figures differ, or when a part that
depends on the pack was measured with another than the one in the install.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(Path(__file__).parent))

from measurements_page import page  # noqa: E402 - its folder was just named

FIGURES = ROOT / "docs" / "measurements.json"
PICTURE = ROOT / "docs" / "demo.png"
PAGE = ROOT / "docs" / "measurements.md"
FIXTURES = ("small", "two_layers")


def _parity() -> dict[str, Any]:
    return {
        name: _wildtrack("models", "parity", str(ROOT / "tests/data/ssv2a" / name))
        for name in FIXTURES
    }


OPTIONS = {
    "bf16": ("--precision", "bf16"),
    "fp16": ("--precision", "fp16"),
    "compiled": ("--compile",),
}


def _precision() -> Any:
    return {
        name: _wildtrack("bench", "render", *words)["compared"] for name, words in OPTIONS.items()
    }


def _demo() -> Any:
    with tempfile.TemporaryDirectory() as folder:
        found = _wildtrack("demo", "--out", str(Path(folder) / "demo"))
        [picture] = (Path(folder) / "demo").glob("*.png")
        shutil.copy(picture, PICTURE)
        return found["seconds"]


def _script(name: str) -> Callable[[], Any]:
    return lambda: _run(sys.executable, str(Path(__file__).with_name(name)))


def _kill_cycles() -> list[Any]:
    """Two sessions at once, a hundred kills each."""
    script = str(Path(__file__).with_name("kill_cycles.py"))
    commands = [(sys.executable, script, "--cycles", "100", "--seed", seed) for seed in ("1", "2")]
    with ThreadPoolExecutor() as both:
        return list(both.map(lambda command: _run(*command), commands))


PARTS: dict[str, Callable[[], Any]] = {
    "parity": _parity,
    "cycle_mix": lambda: _wildtrack("bench", "cycle-mix"),
    "render": lambda: _wildtrack("bench", "render"),
    "precision": _precision,
    "demo": _demo,
    "round_trip": _script("round_trip.py"),
    "cancel_latency": _script("cancel_latency.py"),
    "kill_cycles": _kill_cycles,
    "soak": _script("soak.py"),
    "osc_flood": _script("osc_flood.py"),
}
"""What is measured, in the order of the page; each leaves figures that JSON can hold."""

OF_THE_PACK = ("render", "precision", "demo", "round_trip", "cancel_latency")
"""Parts whose figures are those of one pack: measured anew for each; the others do not hear it."""


def measured(part: str) -> dict[str, Any]:
    """Run one part now; return its figures with date, machine and the digest of the pack."""
    print(f"{part} ...", file=sys.stderr, flush=True)
    return {
        "date": datetime.now(UTC).date().isoformat(),
        "machine": f"{platform.machine()}, {os.cpu_count()} cores, no GPU used",
        "python": platform.python_version(),
        "pack": _wildtrack("models", "list")[0]["digest"],
        "figures": PARTS[part](),
    }


def _wildtrack(*words: str) -> Any:
    return _run(sys.executable, "-m", "plugin_host.cli", *words, "--json")


def _run(*command: str) -> Any:
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, cwd=ROOT)
    return json.loads(done.stdout)


def main() -> None:
    """Measure what was asked for, and after each part write figures and page."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("part", nargs="*", choices=[*PARTS, []], help="default: every part")
    asked = parser.parse_args().part or list(PARTS)
    found = json.loads(FIGURES.read_text(encoding="utf-8")) if FIGURES.is_file() else {}
    for part in asked:
        found[part] = measured(part)
        ordered = {name: found[name] for name in PARTS if name in found}
        FIGURES.write_text(json.dumps(ordered, indent=1) + "\n", encoding="utf-8")
        PAGE.write_text(page(ordered), encoding="utf-8")


if __name__ == "__main__":
    main()
