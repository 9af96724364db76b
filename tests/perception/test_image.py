"""The image encoder: known things are named, rows are independent, transparency is ground."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import matplotlib
import numpy as np
import pytest
import torch
from PIL import Image

from engine.perception.image import EfficientNetImageEncoder, centre_crop, flatten, letterbox
from engine.perception.text import MiniLMTextEncoder

Draw = Callable[..., Image.Image]


@pytest.fixture(scope="module")
def hopper() -> Image.Image:
    """Return the portrait of Grace Hopper in uniform that matplotlib carries."""
    path = Path(matplotlib.get_data_path()) / "sample_data" / "grace_hopper.jpg"
    return Image.open(path).convert("RGB")


def test_names_what_a_photograph_shows(
    images: EfficientNetImageEncoder, hopper: Image.Image
) -> None:
    [(name, probability)] = images.labels([hopper])
    assert name == "military uniform"
    assert 0.1 < probability <= 1.0


def test_a_photograph_lies_near_its_words(
    images: EfficientNetImageEncoder, texts: MiniLMTextEncoder, hopper: Image.Image
) -> None:
    words = ["a naval officer in uniform", "a duck on a lake", "a steam engine", "heavy rain"]
    nearness = (images.encode([hopper]) @ texts.encode(words).T)[0]
    assert int(nearness.argmax()) == 0
    assert float(nearness[0]) > float(nearness[1:].max()) + 0.2


def test_rows_are_unit_vectors_and_independent(
    images: EfficientNetImageEncoder, drawing: Draw, hopper: Image.Image
) -> None:
    rows = images.encode([hopper, drawing(50, 200), drawing(7, 3, seed=1)])
    assert rows.shape == (3, images.dim)
    assert torch.allclose(rows.norm(dim=1), torch.ones(3), atol=1e-5)
    assert torch.equal(images.encode([hopper]), rows[:1])


def test_no_pictures_give_no_rows(images: EfficientNetImageEncoder) -> None:
    assert images.encode([]).shape == (0, 384)
    assert images.labels([]) == []


def test_every_mode_is_taken(images: EfficientNetImageEncoder, drawing: Draw) -> None:
    for mode in ("L", "P", "RGBA", "1"):
        assert torch.isfinite(images.encode([drawing(40, 40, mode=mode)])).all()


def test_what_transparency_hides_does_not_matter(
    images: EfficientNetImageEncoder, drawing: Draw
) -> None:
    mask = Image.new("L", (80, 80), 0)
    mask.paste(255, (20, 20, 60, 60))
    first, second = drawing(80, 80, mode="RGBA"), drawing(80, 80, mode="RGBA")
    second.paste((0, 255, 0, 255), (0, 0, 80, 15))
    first.putalpha(mask)
    second.putalpha(mask)
    assert np.array_equal(np.asarray(flatten(first)), np.asarray(flatten(second)))
    assert torch.equal(images.encode([first]), images.encode([second]))


@pytest.mark.parametrize("size", [(1, 1), (3000, 2), (260, 260), (100, 400)])
def test_views_have_the_networks_size(size: tuple[int, int]) -> None:
    picture = Image.new("RGB", size, "red")
    assert centre_crop(picture).size == letterbox(picture).size == (260, 260)


def test_letterbox_keeps_the_whole_picture_undistorted() -> None:
    red = np.asarray(letterbox(Image.new("RGB", (400, 100), "red")))[..., 0] == 255
    rows, columns = np.nonzero(red)
    assert (columns.min(), columns.max()) == (0, 259)
    assert rows.max() - rows.min() + 1 == 65
