"""The picture: its size, its contents, and labels that try to be something else."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from osc_bridge.errors import BadImage
from plugin_host.deliver import DeliverySettings, deliver
from plugin_host.picture import draw_delivery
from plugin_host.sheet import (
    DPI,
    TOP_HZ,
    TRACK_IN,
    WIDTH_IN,
    Sheet,
    Track,
    sheet_png,
    spectrogram_db,
)

RATE = 48_000


def track(title: str = "dog", seconds: float = 0.2, start_s: float = 0.0) -> Track:
    steps = np.arange(round(seconds * RATE)) / RATE
    audio = (0.5 * np.sin(2 * np.pi * 1000 * steps)).astype(np.float32)[None]
    return Track(title, "ANMLDog", audio, RATE, start_s, "#f4a259")


def size_of(png: bytes) -> tuple[int, int]:
    with Image.open(io.BytesIO(png)) as image:
        image.load()
        return image.size


def test_the_sheet_grows_by_a_row_per_track() -> None:
    one = size_of(sheet_png(Sheet("t", "d", (track(),))))
    three = size_of(sheet_png(Sheet("t", "d", (track(), track(), track(start_s=0.1)))))
    assert one[0] == three[0] == round(WIDTH_IN * DPI)
    assert three[1] - one[1] == pytest.approx(2 * TRACK_IN * DPI, abs=1)


def test_any_label_can_be_drawn() -> None:
    titles = ["$\\frac{", "日本語", "", "x" * 900, "a\nb", "\\", "<&>"]
    tracks = tuple(track(title, 0.01) for title in titles)
    sheet = Sheet("$_{", "$^", tracks, Image.new("RGB", (64, 36)), (64, 36))
    assert size_of(sheet_png(sheet))[0] == round(WIDTH_IN * DPI)


def test_silence_and_a_single_sample_can_be_drawn() -> None:
    silent = Track("s", "", np.zeros((2, 1), np.float32), RATE, 0.0, "#f4a259")
    assert size_of(sheet_png(Sheet("t", "d", (silent,))))


def test_a_full_scale_tone_is_0_db_at_its_frequency() -> None:
    steps = np.arange(RATE) / RATE
    decibels = spectrogram_db(np.sin(2 * np.pi * 3000 * steps).astype(np.float32)[None], RATE)
    middle = decibels[:, decibels.shape[1] // 2]
    assert middle.max() == pytest.approx(0, abs=0.2)
    assert np.argmax(middle) * TOP_HZ / (len(middle) - 1) == pytest.approx(3000, abs=30)


def test_the_picture_of_a_delivery(fake_session: Callable[..., Any], tmp_path: Path) -> None:
    session = fake_session()
    take = read(session)
    delivery = deliver(take, tmp_path / "out", DeliverySettings())
    path = draw_delivery(take, delivery)
    assert path.parent == tmp_path / "out"
    assert path.suffix == ".png"
    width, height = size_of(path.read_bytes())
    assert width == round(WIDTH_IN * DPI)
    assert height > 4 * TRACK_IN * DPI


def test_a_frame_that_is_no_picture(fake_session: Callable[..., Any], tmp_path: Path) -> None:
    session = fake_session()
    (session.folder / "media" / "frame.png").write_bytes(b"\x89PNG\r\n\x1a\nnot really")
    take = read(session)
    delivery = deliver(take, tmp_path / "out", DeliverySettings())
    with pytest.raises(BadImage, match=r"frame\.png"):
        draw_delivery(take, delivery)


def read(session: Any) -> Any:
    from plugin_host.take import read_take

    return read_take(session.write(), session.folder)
