"""Orders: everything that can be said before an engine starts is said then."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from PIL import Image

from osc_bridge.errors import (
    BadAudio,
    BadImage,
    BadText,
    FileMissing,
    NothingToRender,
    OutOfRange,
    SessionNotWritable,
    TooManySources,
    WildtrackError,
)
from plugin_host.order import Order, check_order


@pytest.fixture
def order(tmp_path: Path) -> Order:
    Image.new("RGB", (8, 8)).save(tmp_path / "frame.png")
    soundfile.write(tmp_path / "wind.wav", np.zeros(4800), 48_000)
    images, audios = (tmp_path / "frame.png",), (tmp_path / "wind.wav",)
    return Order(images=images, texts=("rain",), audios=audios, out=tmp_path / "out")


def test_a_good_order_passes_and_leaves_nothing(order: Order) -> None:
    check_order(order)
    assert not order.out.exists()


@pytest.mark.parametrize(
    ("changes", "error", "mentions"),
    [
        ({"seconds": float("nan")}, OutOfRange, ["nan", "0.3 to 10 s"]),
        ({"seconds": -1.0}, OutOfRange, ["-1", "0.3 to 10 s"]),
        ({"seconds": 10.01}, OutOfRange, ["10.01"]),
        ({"seed": -1}, OutOfRange, ["-1", "0 to"]),
        ({"seed": 2**63}, OutOfRange, [str(2**63)]),
        ({"start_sample": -1}, OutOfRange, ["samples since midnight"]),
        ({"texts": ("x" * 401,)}, BadText, ["401 characters", "1 to 400"]),
        ({"texts": ("x" * 10_000,)}, BadText, ["10000 characters"]),
        ({"texts": (" ",)}, BadText, ["empty"]),
        ({"texts": ("\ud800",)}, BadText, ["UTF-8"]),
        ({"texts": ("a",) * 63}, TooManySources, ["65", "1 to 64"]),
        ({"texts": (), "images": (), "audios": ()}, NothingToRender, ["--image"]),
        ({"creator_id": ""}, OutOfRange, ["--creator"]),
        ({"name": "x" * 81}, OutOfRange, ["--name"]),
    ],
)
def test_values_outside_their_range(
    order: Order, changes: dict[str, Any], error: type[WildtrackError], mentions: list[str]
) -> None:
    with pytest.raises(error) as caught:
        check_order(replace(order, **changes))
    assert all(mention in str(caught.value) for mention in mentions)
    assert len(str(caught.value)) < 400


@pytest.mark.parametrize("field", ["images", "audios"])
@pytest.mark.parametrize("content", [b"", b"not what it says", b"\x89PNG\r\n\x1a\n", b"RIFF\xff"])
def test_files_that_are_not_what_they_should_be(
    order: Order, tmp_path: Path, field: str, content: bytes
) -> None:
    path = tmp_path / "odd.bin"
    path.write_bytes(content)
    with pytest.raises((BadImage, BadAudio), match=r"odd\.bin"):
        check_order(replace(order, **{field: (path,)}))


@pytest.mark.parametrize("field", ["images", "audios"])
@pytest.mark.parametrize("name", ["none.png", ".", "a\0b"])
def test_files_that_are_not_there(order: Order, tmp_path: Path, field: str, name: str) -> None:
    with pytest.raises(FileMissing):
        check_order(replace(order, **{field: (tmp_path / name,)}))


def test_an_output_folder_that_is_a_file(order: Order, tmp_path: Path) -> None:
    with pytest.raises(SessionNotWritable, match="--out"):
        check_order(replace(order, out=tmp_path / "frame.png" / "out"))
