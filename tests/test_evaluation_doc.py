"""docs/evaluation.md says what was measured, of the pack that is installed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from engine.evaluation.paper_page import write_page
from engine.evaluation.paper_parts import PARTS
from engine.models.pack import find_pack, read_manifest

DOCS = Path(__file__).parents[1] / "docs"
CURE = (
    "run: wildtrack evaluate --paper --data CORPUS --work WORK "
    "(what is in WORK already is not measured again)"
)


@pytest.fixture
def figures() -> dict[str, Any]:
    """What docs/evaluation.json holds."""
    path = DOCS / "evaluation.json"
    assert path.is_file(), f"docs/evaluation.json is missing; {CURE}"
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return found


def test_the_page_is_written_from_the_figures(figures: dict[str, Any]) -> None:
    page = (DOCS / "evaluation.md").read_text(encoding="utf-8")
    assert page == write_page(figures), f"docs/evaluation.md is stale; {CURE}"


def test_every_part_was_tried(figures: dict[str, Any]) -> None:
    assert list(figures["parts"]) == list(PARTS), CURE


def test_what_needs_nothing_from_elsewhere_was_measured(figures: dict[str, Any]) -> None:
    elsewhere = {"synchrony"}
    missing = [name for name, of in figures["parts"].items() if "why" in of["measured"]]
    assert set(missing) <= elsewhere, CURE


def test_the_figures_are_of_the_installed_pack(figures: dict[str, Any]) -> None:
    digest = read_manifest(find_pack("starter")).digest
    assert figures["setting"]["digest"] == digest, f"another pack is installed; {CURE}"
