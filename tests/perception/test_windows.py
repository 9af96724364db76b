"""Means over boxes equal those counted pixel by pixel, at any resolution of the map."""

from __future__ import annotations

import numpy as np
import pytest

from engine.perception.windows import Windows


@pytest.fixture
def layer() -> np.ndarray:
    return np.random.default_rng(3).normal(size=(5, 12, 16)).astype(np.float32)


def test_means_of_whole_cells(layer: np.ndarray) -> None:
    windows = Windows(np.array([[3.0, 2, 9, 7], [0, 0, 16, 12]]), 16, 12)
    means = windows.mean_inside(layer)
    assert np.allclose(means[0], layer[:, 2:7, 3:9].mean((1, 2)))
    assert np.allclose(means[1], layer.mean((1, 2)))


def test_boxes_are_in_picture_pixels(layer: np.ndarray) -> None:
    windows = Windows(np.array([[30.0, 20, 90, 70]]), 160, 120)
    assert np.allclose(windows.mean_inside(layer)[0], layer[:, 2:7, 3:9].mean((1, 2)))


def test_cut_cells_count_in_part(layer: np.ndarray) -> None:
    windows = Windows(np.array([[3.5, 2, 4.5, 3]]), 16, 12)
    expected = (layer[:, 2, 3] + layer[:, 2, 4]) / 2
    assert np.allclose(windows.mean_inside(layer)[0], expected)


def test_the_ring_is_around_the_box(layer: np.ndarray) -> None:
    windows = Windows(np.array([[4.0, 4, 8, 8]]), 16, 12, margin=0.25)
    inside, around = windows.inside_and_around(layer)
    total, core = layer[:, 3:9, 3:9].sum((1, 2)), layer[:, 4:8, 4:8].sum((1, 2))
    assert np.allclose(inside[0], core / 16)
    assert np.allclose(around[0], (total - core) / 20)


def test_the_ring_stays_in_the_picture(layer: np.ndarray) -> None:
    windows = Windows(np.array([[0.0, 0, 16, 12]]), 16, 12)
    _, around = windows.inside_and_around(layer)
    assert np.isfinite(around).all()
    assert windows.shares[0] == 1.0
