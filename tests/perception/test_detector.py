"""The detector: drawn things are found, results are ordered, bounded, repeatable, stoppable."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import matplotlib
import numpy as np
import pytest
from PIL import Image

from engine.perception.base import MAX_REGIONS, Box
from engine.perception.detector import SegmentDetector, load_detector, separate
from engine.perception.image import EfficientNetImageEncoder
from osc_bridge.errors import Cancelled

Draw = Callable[..., Image.Image]


@pytest.fixture(scope="module")
def detector(images: EfficientNetImageEncoder) -> SegmentDetector:
    return load_detector(images)


def iou(a: Box, b: Box) -> float:
    width = max(0, min(a[2], b[2]) - max(a[0], b[0]))
    height = max(0, min(a[3], b[3]) - max(a[1], b[1]))
    areas = (a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1])
    return width * height / (areas - width * height)


def test_finds_both_drawn_things_and_reports_steps(
    detector: SegmentDetector, drawing: Draw
) -> None:
    steps: list[tuple[int, int]] = []
    regions = detector.detect(drawing(), lambda step, of: steps.append((step, of)))
    for thing in ((32, 48, 112, 144), (192, 96, 288, 192)):
        assert max(iou(thing, region.box) for region in regions) > 0.5
    assert steps == sorted(steps)
    assert steps[-1][0] == steps[-1][1]
    scores = [region.score for region in regions]
    assert scores == sorted(scores, reverse=True)
    assert all(0.0 < score < 1.0 for score in scores)


def test_finds_the_person_in_a_photograph(detector: SegmentDetector) -> None:
    path = Path(matplotlib.get_data_path()) / "sample_data" / "grace_hopper.jpg"
    picture = Image.open(path)
    regions = detector.detect(picture)
    assert 1 <= len(regions) <= MAX_REGIONS
    for region in regions:
        x0, y0, x1, y1 = region.box
        assert 0 <= x0 < x1 <= picture.width
        assert 0 <= y0 < y1 <= picture.height
        assert region.label
        assert "(" not in region.label


def test_repeats_itself_and_leaves_the_picture_alone(
    detector: SegmentDetector, drawing: Draw
) -> None:
    picture = drawing(160, 120, seed=5)
    before = picture.tobytes()
    assert detector.detect(picture) == detector.detect(picture)
    assert picture.tobytes() == before


@pytest.mark.parametrize("size", [(1, 1), (64, 48), (900, 3)])
def test_an_even_picture_is_one_region(detector: SegmentDetector, size: tuple[int, int]) -> None:
    [region] = detector.detect(Image.new("RGB", size, (90, 120, 60)))
    assert region.box == (0, 0, *size)


def test_noise_gives_no_more_than_allowed(detector: SegmentDetector) -> None:
    noise = np.random.default_rng(4).integers(0, 256, (60, 80, 3), np.uint8)
    assert 1 <= len(detector.detect(Image.fromarray(noise))) <= MAX_REGIONS


def test_stops_within_one_step(detector: SegmentDetector, drawing: Draw) -> None:
    seen: list[int] = []

    def stop(step: int, of: int) -> None:
        seen.append(step)
        raise Cancelled("The caller cancelled.")

    with pytest.raises(Cancelled):
        detector.detect(drawing(), stop)
    assert seen == [1]


def test_separate_keeps_the_best_of_those_that_overlap() -> None:
    boxes = np.array([[0, 0, 10, 10], [1, 1, 11, 11], [30, 30, 40, 40]], float)
    assert separate(boxes, np.array([0.5, 2.0, 1.0])) == [1, 2]
    many = np.array([[20.0 * i, 0, 20 * i + 10, 10] for i in range(40)])
    assert separate(many, np.arange(40.0)) == list(range(39, 39 - MAX_REGIONS, -1))
