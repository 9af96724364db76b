"""The page of measurements says what was measured."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from types import ModuleType

SCRIPT = Path(__file__).parent / "benchmarks" / "measurements.py"


def script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("measurements", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_page_is_written_from_the_figures() -> None:
    measurements = script()
    figures = json.loads(measurements.FIGURES.read_text(encoding="utf-8"))
    assert measurements.PAGE.read_text(encoding="utf-8") == measurements.page(figures)
