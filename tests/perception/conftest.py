"""Encoders are read once for all tests of perception."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from PIL import Image, ImageDraw

from engine.perception.image import EfficientNetImageEncoder, load_image_encoder
from engine.perception.text import MiniLMTextEncoder, load_text_encoder


@pytest.fixture(scope="session")
def texts() -> MiniLMTextEncoder:
    return load_text_encoder("cpu")


@pytest.fixture(scope="session")
def images(texts: MiniLMTextEncoder) -> EfficientNetImageEncoder:
    return load_image_encoder(texts, "cpu")


@pytest.fixture
def drawing() -> Callable[..., Image.Image]:
    """Return a maker of pictures: coloured discs and bars on a soft ground."""

    def draw(width: int = 320, height: int = 240, seed: int = 0, mode: str = "RGB") -> Image.Image:
        rng = np.random.default_rng(seed)
        ramp = np.linspace(90, 150, width)[None, :, None] + rng.normal(0, 3, (height, width, 3))
        picture = Image.fromarray(np.clip(ramp, 0, 255).astype(np.uint8))
        pen = ImageDraw.Draw(picture)
        pen.ellipse((width * 0.1, height * 0.2, width * 0.35, height * 0.6), fill=(220, 40, 30))
        pen.rectangle((width * 0.6, height * 0.4, width * 0.9, height * 0.8), fill=(20, 60, 190))
        return picture.convert(mode)

    return draw
