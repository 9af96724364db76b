"""The page of measurements says what was measured."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from types import ModuleType

from PIL import Image

from engine.models.pack import find_pack, read_manifest

SCRIPT = Path(__file__).parent / "benchmarks" / "measurements.py"


DOCS = Path(__file__).parents[1] / "docs"


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


def test_every_part_was_measured() -> None:
    figures = json.loads((DOCS / "measurements.json").read_text(encoding="utf-8"))
    assert list(figures) == list(script().PARTS)


def test_figures_and_pictures_are_of_the_installed_pack() -> None:
    digest = read_manifest(find_pack("starter")).digest
    figures = json.loads((DOCS / "measurements.json").read_text(encoding="utf-8"))
    assert {figures[part]["pack"] for part in script().OF_THE_PACK} == {digest}
    for name in ("demo.png", "starter-sheet.png"):
        with Image.open(DOCS / name) as picture:
            assert picture.info["Source"].endswith(digest), name
