"""Parts of a picture: every pixel has one, even grounds stay whole, things get their box."""

from __future__ import annotations

import numpy as np

from engine.perception.segments import part_boxes, patches


def two_squares() -> np.ndarray:
    colour = np.full((60, 80, 3), 0.5, np.float32)
    colour[10:30, 10:30] = (0.9, 0.1, 0.1)
    colour[35:55, 50:75] = (0.1, 0.2, 0.9)
    return colour


def test_patches_follow_the_colours() -> None:
    labels = patches(two_squares(), scale=0.3, min_size=6)
    assert labels.shape == (60, 80)
    assert len(np.unique(labels)) == 3
    assert len(np.unique(labels[10:30, 10:30])) == 1
    assert labels[0, 0] == labels[59, 79] != labels[20, 20]


def test_small_patches_join_a_neighbour() -> None:
    noisy = np.random.default_rng(1).random((40, 40, 3)).astype(np.float32)
    labels = patches(noisy, scale=0.01, min_size=20)
    assert np.bincount(labels.ravel()).min() >= 20


def test_an_even_picture_is_one_part() -> None:
    even = np.zeros((20, 30, 3), np.float32)
    labels = patches(even, scale=0.3, min_size=6)
    assert part_boxes(even, labels) == [(0, 0, 30, 20)]


def test_boxes_hold_each_thing_and_the_whole() -> None:
    colour = two_squares()
    boxes = part_boxes(colour, patches(colour, scale=0.3, min_size=6))
    assert {(10, 10, 30, 30), (50, 35, 75, 55), (0, 0, 80, 60)} <= set(boxes)


def test_merging_ends_with_one_part_fewer_each_time() -> None:
    noisy = np.random.default_rng(2).random((40, 50, 3)).astype(np.float32)
    labels = patches(noisy, scale=0.01, min_size=10)
    count = len(np.unique(labels))
    boxes = part_boxes(noisy, labels)
    assert len(boxes) == 2 * count - 1
    assert boxes[-1] == (0, 0, 50, 40)
