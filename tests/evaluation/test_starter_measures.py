"""The measures behind the model card, on cases whose answer is known."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from engine.evaluation import copies, starter_copies, starter_distance, starter_naming
from engine.evaluation.bars import Bar
from engine.evaluation.bootstrap import Bootstrap
from engine.evaluation.judge import Judge, describe, train_probe
from engine.evaluation.starter_copies import Near, near_rows
from engine.evaluation.starter_distance import Trio, space_of
from engine.evaluation.starter_naming import Named
from engine.evaluation.workers import in_parallel, torch_threads
from engine.models.sizes import random_parts, tiny_sizes
from engine.perception.mel import MEL
from engine.steps import no_steps
from osc_bridge.errors import Cancelled

HOW = Bootstrap(draws=100, seed=3)


def places(**of: list[int]) -> Named:
    return Named({kind: np.array(rows) for kind, rows in of.items()})


def test_work_comes_back_in_order_on_one_thread_each() -> None:
    with torch_threads(2):
        found = in_parallel(lambda n: (n, torch.get_num_threads()), list(range(9)), no_steps)
        assert torch.get_num_threads() == 2
    assert found == [(n, 1) for n in range(9)]


def test_work_stops_where_the_callback_says_so() -> None:
    done: list[int] = []

    def stop(step: int, of: int) -> None:
        raise Cancelled("enough")

    with pytest.raises(Cancelled):
        in_parallel(done.append, list(range(500)), stop)
    assert len(done) < 500


def test_every_class_counts_alike_however_many_sounds_it_has() -> None:
    found = starter_naming.share(places(few=[0, 0], many=[9] * 50), 1, HOW)
    assert found.value == 0.5
    assert found.low <= found.value <= found.high


def test_the_ratio_of_equal_rows_is_one_and_their_interval_holds_it() -> None:
    row = places(a=[0, 0, 3, 7], b=[0, 2, 2, 9])
    found = starter_naming.ratio(row, row, 1, HOW)
    assert found is not None
    assert found.value == 1.0
    assert found.low < 1.0 < found.high


def test_a_row_is_compared_with_real_sounds_of_its_own_classes() -> None:
    real = places(seen=[0, 0], unseen=[9, 9])
    found = starter_naming.ratio(places(seen=[0, 9]), real, 1, HOW)
    assert found is not None
    assert found.value == 0.5


def test_there_is_no_ratio_to_real_sounds_that_are_never_named() -> None:
    assert starter_naming.ratio(places(a=[0]), places(a=[9]), 5, HOW) is None


def test_a_linear_probe_tells_what_lies_on_either_side() -> None:
    rows = np.random.default_rng(1).normal(0, 1, (40, 6)).astype(np.float32)
    rows[:20, 0] += 40
    names = ["left"] * 20 + ["right"] * 20
    probe = train_probe(list(rows), names, seed=1)
    assert isinstance(probe, Judge)
    assert probe.ranks(list(rows), names).max() == 0


def test_the_judge_describes_whatever_the_front_end_gives() -> None:
    wave = np.random.default_rng(2).normal(0, 0.1, MEL.sample_rate).astype(np.float32)
    assert np.isfinite(describe(wave)).all()
    assert np.allclose(describe(wave), describe(0.3 * wave), atol=1e-3)


def cloud(seed: int, shift: float = 0.0) -> np.ndarray:
    return np.random.default_rng(seed).normal(shift, 1, (60, 8))


def test_the_distance_ratio_is_one_for_another_draw_and_more_for_another_place() -> None:
    alike = starter_distance.figures(Trio(cloud(1), cloud(2), cloud(3)), HOW)
    apart = starter_distance.figures(Trio(cloud(1, 4.0), cloud(2), cloud(3)), HOW)
    assert 0.5 < alike["ratio"]["value"] < 2
    assert apart["ratio"]["value"] > 20
    assert alike["ratio"]["low"] < 1 < alike["ratio"]["high"]
    assert apart["generated"] > apart["training"]


def test_a_space_keeps_the_directions_in_which_sounds_differ() -> None:
    rows = np.random.default_rng(4).normal(0, 1, (50, 5)).astype(np.float32)
    rows[:, 4] = 1.0
    put = space_of(rows).put(rows)
    assert put.shape == (50, 5)
    assert np.allclose(put[:, -1].std(), 0, atol=1e-6)


def test_all_distances_at_once_are_those_of_one_at_a_time() -> None:
    codec = random_parts(tiny_sizes(), 1).codec
    random = torch.Generator().manual_seed(5)
    pictures = [torch.randn(MEL.mels, 20 + 9 * n, generator=random) for n in range(6)]
    index, asked = copies.build(codec, pictures[:3]), copies.build(codec, pictures)
    rows, distances = copies.nearest_of_all(index, asked)
    for place in range(len(pictures)):
        row, distance = copies.nearest_to(index, asked.tokens[place], int(asked.active[place]))
        assert rows[place] == row
        assert distances[place] == pytest.approx(distance, abs=1e-3)
    assert rows[:3].tolist() == [0, 1, 2]


def test_what_is_nearer_than_real_sounds_are_counts_as_near() -> None:
    real = Near(np.zeros(101, int), np.arange(101) / 100)
    made = Near(np.array([0, 1, 1, 0]), np.array([0.001, 0.5, 0.6, 0.7]))
    found = starter_copies.figures(made, real, HOW)
    assert found["threshold"] == pytest.approx(0.01)
    assert found["below"]["value"] == 0.25
    closest = starter_copies.closest(made, ["a", "b", "c", "d"], ["one", "two"])
    assert closest[0] == ["a", "one", 0.001]


def test_the_nearest_row_of_a_set_is_found() -> None:
    known, asked = np.array([[0.0, 0.0], [3.0, 4.0]]), np.array([[3.0, 3.0], [0.0, 0.0]])
    near = near_rows(known, asked)
    assert near.rows.tolist() == [1, 0]
    assert near.distances == pytest.approx([1.0, 0.0])


@pytest.mark.parametrize(
    ("bar", "outcome"),
    [
        (Bar("x", "at least", 0.8, 0.8), "reached"),
        (Bar("x", "at least", 0.8, 0.7), "missed by 0.1"),
        (Bar("x", "at most", 3.0, 3.5, " s"), "missed by 0.5 s"),
        (Bar("x", "at most", 1.5, None, why="no ear"), "not measured: no ear"),
    ],
)
def test_a_bar_says_how_it_went(bar: Bar, outcome: str) -> None:
    assert bar.outcome == outcome
