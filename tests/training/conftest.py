"""A corpus of a few drawn pictures and synthesised sounds, in the documented layout."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
import soundfile
from PIL import Image, ImageDraw

RATE = 22_050
SOUNDS = [  # file, split, text, class, licence, package, image
    ("a.wav", "train", "low hum", "engine", "CC0", "one", ""),
    ("b.wav", "train", "high hum", "engine", "GPL-3+", "one", ""),
    ("c.wav", "train", "hiss", "rain", "CC-BY-SA-3.0", "one", "red.png"),
    ("d.wav", "train", "forbidden hiss", "rain", "GPL-2", "one", ""),
    ("e.wav", "test", "other hum", "engine", "CC0", "two", "blue.png"),
    ("f.wav", "judge", "other hiss", "rain", "CC0", "three", ""),
    ("g.wav", "train", "long hiss", "rain", "CC0", "five", ""),
    ("h.wav", "train", "third hum", "engine", "CC0", "six", ""),
    ("i.wav", "train", "buzz", "", "CC0", "seven", ""),
]
PICTURES = [  # file, text, class, package, role
    ("red.png", "a red ball", "rain", "one", "cutouts"),
    ("blue.png", "a blue ball", "engine", "two", "cutouts"),
    ("ground.png", "a meadow", "", "four", "backgrounds"),
]


@pytest.fixture(scope="session")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of that corpus."""
    folder = tmp_path_factory.mktemp("corpus")
    noise = np.random.default_rng(1)
    for index, row in enumerate(SOUNDS):
        seconds = 0.4 + 0.3 * index
        time = np.arange(int(seconds * RATE)) / RATE
        wave = np.sin(2 * np.pi * 110 * (index + 1) * time) + noise.normal(0, 0.1, len(time))
        soundfile.write(folder / row[0], 0.4 * wave, RATE)
    for name, _, _, _, role in PICTURES:
        picture = Image.new("RGBA", (60, 60), "green" if role == "backgrounds" else (0, 0, 0, 0))
        if role == "cutouts":
            ImageDraw.Draw(picture).ellipse((10, 10, 50, 50), fill=name.removesuffix(".png"))
        picture.save(folder / name)
    _write(
        folder / "sounds.csv",
        ["file", "split", "text", "foley_class", "licence", "package", "image", "duration_s"],
        [[*row, "1.0"] for row in SOUNDS],
    )
    _write(
        folder / "images.csv",
        ["file", "text", "foley_class", "package", "role", "licence"],
        [[*row, "CC0"] for row in PICTURES],
    )
    return folder


def _write(path: Path, head: list[str], rows: list[list[str]]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([head, *rows])
