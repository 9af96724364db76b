"""The judge of boxes: every cue has a weight, and a thing is judged above plain ground."""

from __future__ import annotations

import numpy as np
import pytest

from engine.perception import objectness
from engine.perception.windows import Windows

THING, GROUND, WHOLE = (16.0, 16, 48, 48), (80.0, 16, 112, 48), (0.0, 0, 128, 96)


@pytest.fixture
def evidence() -> tuple[Windows, list[np.ndarray], np.ndarray]:
    """Return windows, maps and lightness of a picture with one thing in it."""
    rng = np.random.default_rng(6)
    grey = np.full((96, 128), 100.0, np.float32)
    grey[16:48, 16:48] = rng.uniform(0, 255, (32, 32))
    maps = []
    for stride in (4, 8, 16, 16):
        layer = rng.normal(0, 0.3, (8, 96 // stride, 128 // stride)).astype(np.float32)
        layer[:, 16 // stride : 48 // stride, 16 // stride : 48 // stride] += 3.0
        maps.append(layer)
    return Windows(np.array([THING, GROUND, WHOLE]), 128, 96), maps, grey


def test_each_cue_has_a_weight(
    evidence: tuple[Windows, list[np.ndarray], np.ndarray],
) -> None:
    found = objectness.cues(*evidence)
    assert found.keys() == objectness.WEIGHTS.keys()
    assert all(cue.shape == (3,) and np.isfinite(cue).all() for cue in found.values())


def test_a_thing_is_judged_above_the_ground(
    evidence: tuple[Windows, list[np.ndarray], np.ndarray],
) -> None:
    thing, ground, _ = objectness.logits(*evidence)
    assert thing > ground + 2.0
