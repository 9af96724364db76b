"""The manifold analysis, proved on points whose answers are known, and its report."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

from engine.cmss import build_ssv2a, save_ssv2a
from engine.evaluation import paper, svg
from engine.evaluation.manifold_analysis import analyse
from engine.evaluation.manifold_commands import manifold
from engine.evaluation.manifold_numbers import discriminant, gap, linkages, partition, reduce
from engine.evaluation.manifold_pairs import Choice, Embedded, gather
from engine.evaluation.prepared_inputs import open_for, open_for_trained
from engine.models.pack import read_manifest
from engine.models.sizes import tiny_sizes
from engine.steps import no_steps
from engine.training.data.prepared import PreparedData
from osc_bridge.errors import BadCorpus

NOISE = np.random.default_rng(7)
SIZES = tiny_sizes().ssv2a


def cloud(count: int, dims: int, centre: float = 0.0) -> np.ndarray:
    return NOISE.normal(centre, 1.0, (count, dims))


def test_far_modalities_are_told_apart_with_certainty() -> None:
    test = discriminant(cloud(50, 4), cloud(50, 4, 12.0))
    assert (test.misclassified, test.held_out) == (0.0, 0.0)
    assert test.entropy_r2 == pytest.approx(1.0, abs=1e-6)
    assert test.minus_2_ll == pytest.approx(0.0, abs=1e-4)


def test_equal_modalities_are_a_coin() -> None:
    test = discriminant(cloud(2000, 3), cloud(2000, 3))
    assert test.misclassified == pytest.approx(50, abs=4)
    assert test.held_out == pytest.approx(50, abs=4)
    assert test.entropy_r2 == pytest.approx(0.0, abs=0.01)
    assert test.minus_2_ll == pytest.approx(2 * 4000 * math.log(2), rel=0.01)


def test_mistakes_are_those_of_the_best_rule_for_two_normals() -> None:
    """Two unit normals 2 apart: the best rule errs in 1 - Phi(1) = 15.9 % of cases."""
    apart = np.array([2.0, 0.0])
    test = discriminant(cloud(4000, 2), cloud(4000, 2) + apart)
    assert test.misclassified == pytest.approx(15.87, abs=1.2)


def test_scale_and_constant_columns_change_nothing() -> None:
    visual, audio = cloud(30, 5), cloud(30, 5, 0.8)
    scaled = np.array([1.0, 100.0, 0.01, 1.0, 3.0])
    plain = discriminant(visual, audio)
    other = discriminant(
        np.pad(visual * scaled, ((0, 0), (0, 3)), constant_values=4.0),
        np.pad(audio * scaled, ((0, 0), (0, 3)), constant_values=4.0),
    )
    assert other.minus_2_ll == pytest.approx(plain.minus_2_ll)
    assert other.misclassified == plain.misclassified


def test_more_dimensions_than_samples_flatter_only_those_seen() -> None:
    test = discriminant(cloud(20, 300), cloud(20, 300))
    assert test.held_out > 20
    assert np.isfinite(test.canonical).all()


def test_canonical_axes_have_unit_variance_within_a_modality() -> None:
    test = discriminant(cloud(500, 6), cloud(500, 6, 1.0))
    within = np.concatenate([test.canonical[:500], test.canonical[500:]])
    within[:500] -= within[:500].mean(0)
    within[500:] -= within[500:].mean(0)
    assert np.cov(within.T) == pytest.approx(np.eye(2), abs=0.02)


def test_the_papers_own_rows_follow_the_definitions() -> None:
    nothing_known = 2 * paper.DISCRIMINANT_SAMPLES * math.log(2)
    for row in paper.DISCRIMINANTS:
        assert row.entropy_r2 == pytest.approx(1 - row.minus_2_ll / nothing_known, abs=6e-4)


def test_partition_of_two_opposite_clusters() -> None:
    rows = np.array([[1.0, 0.0], [2.0, 0.0], [-1.0, 0.0], [-3.0, 0.0]])
    found = partition(rows, np.array([0, 0, 1, 1]))
    assert (found.coefficient, found.contrast) == pytest.approx((1.0, 1.0))


def test_partition_of_what_is_all_alike_is_high_without_contrast() -> None:
    found = partition(np.ones((6, 3)), np.array([0, 0, 1, 1, 2, 2]))
    assert (found.coefficient, found.contrast) == pytest.approx((3.0, 0.0))


def test_linkage_is_the_mean_cosine() -> None:
    rows = np.array([[1.0, 0.0], [0.0, 2.0], [0.0, 5.0]])
    found = linkages(rows, rows, np.array([0, 0, 1]))
    assert found == pytest.approx(np.array([[0.5, 0.5], [0.5, 1.0]]))


def test_the_gap_is_two_for_opposites() -> None:
    ones = np.ones((3, 4))
    assert gap(ones, -5 * ones) == pytest.approx(2.0)
    assert gap(ones, 5 * ones) == pytest.approx(0.0)


def test_reduction_keeps_distances_where_there_is_room() -> None:
    rows = cloud(6, 40)
    small = reduce(rows, 10)
    assert small.shape == (6, 10)
    assert np.linalg.norm(small[0] - small[4]) == pytest.approx(np.linalg.norm(rows[0] - rows[4]))


def made_pairs(classes: int = 3, each: int = 6) -> Embedded:
    labels = tuple(f"class_{k}" for k in range(classes) for _ in range(each))
    count = len(labels)
    clips, claps = cloud(count, SIZES.clip_dim), cloud(count, SIZES.clap_dim)
    return Embedded(clips, claps, labels, count, count)


def test_analysis_is_the_same_twice_and_of_every_space() -> None:
    model, pairs = build_ssv2a(SIZES).eval(), made_pairs()
    first, second = (analyse(model, pairs, 3, no_steps) for _ in range(2))
    assert set(first.spaces) == {"raw", "manifold", "reconstructed"}
    for name, space in first.spaces.items():
        assert space.plane.shape == (36, 2)
        assert (space.plane == second.spaces[name].plane).all()
    assert set(first.tests) <= {"class_0", "class_1", "class_2"}
    assert first.links.shape == first.across.shape == (3, 3)


def test_other_dimensions_are_refused() -> None:
    pairs = made_pairs()
    odd = Embedded(pairs.clips[:, :5], pairs.claps, pairs.labels, 18, 18)
    with pytest.raises(BadCorpus, match=r"5 and .* dimensions, this pack takes"):
        analyse(build_ssv2a(SIZES).eval(), odd, 1, no_steps)


def test_choice_takes_the_frequent_classes_by_seed() -> None:
    labels = ["a"] * 9 + ["b"] * 5 + ["c"] * 2 + [""] * 20
    alike = [0] * len(labels)
    rows = Choice(classes=3, each=4, seed=2).rows(labels, alike)
    assert [labels[row] for row in rows] == ["a"] * 4 + ["b"] * 4
    assert rows == Choice(3, 4, 2).rows(labels, alike) != Choice(3, 4, 3).rows(labels, alike)
    with pytest.raises(BadCorpus, match="1 classes with at least 3"):
        Choice().rows(["a"] * 9, alike)


def pairs_of(made: Callable[..., Any], words: Sequence[int] = ()) -> list[Any]:
    """Return twelve held-out sounds of two classes; of ``words`` there is no picture."""
    return [
        made(
            f"{place}.wav",
            foley_class=("low", "high")[place % 2],
            kinds=("words",) if place in words else ("words", "curated"),
        )
        for place in range(12)
    ]


def test_the_command_writes_one_page_without_anything_from_outside(
    made: Callable[..., Any], prepare: Callable[..., Path], tiny_pack: Path, tmp_path: Path
) -> None:
    data = prepare([*pairs_of(made, words=[3]), made("unnamed.wav"), made("mine.wav", "train")])
    out = tmp_path / "report.html"
    options = ["--pack", str(tiny_pack), "--out", str(out), "--link", "-1", "--json"]
    result = CliRunner().invoke(manifold, ["--data", str(data), *options])
    assert result.exit_code == 0, result.output
    found = json.loads(result.stdout)
    assert (found["pairs"], found["pictured"], found["distinct"]) == (12, 11, 12)
    assert found["source"] == "prepared (split test)"
    page = out.read_text()
    assert page.count("<svg") == 3 + 2 + 2 * len(found["discriminant"])
    assert not re.search(r"(src|href)=\"(?!data:)", page)
    assert "<script" not in page
    assert "35.0" in page  # the paper's, beside ours


def test_pictures_go_before_words_and_the_draw_hangs_on_the_seed(
    made: Callable[..., Any], prepare: Callable[..., Path]
) -> None:
    data = PreparedData(prepare(pairs_of(made, words=[0, 1, 2, 3])))
    four = gather(data, Choice(each=4))
    assert (four.pictured, len(four.labels)) == (8, 8)
    assert gather(data, Choice(each=5)).pictured == 8
    assert (four.claps == gather(data, Choice(each=4)).claps).all()
    three = [gather(data, Choice(each=3, seed=seed)).claps.tolist() for seed in range(4)]
    assert any(claps != three[0] for claps in three)


def test_no_picture_stands_for_two_sounds_where_each_can_have_its_own(
    made: Callable[..., Any], prepare: Callable[..., Path]
) -> None:
    views = ("one", "two", "three")
    kinds = ("curated",) * 3
    samples = [
        made(f"{place}.wav", foley_class="ab"[place % 2], kinds=kinds, views=views)
        for place in range(6)
    ]
    assert gather(PreparedData(prepare(samples)), Choice()).distinct == 3


def test_several_folders_are_one_set(
    made: Callable[..., Any], prepare: Callable[..., Path]
) -> None:
    every = pairs_of(made)
    parts = prepare(every[:6], "one"), prepare(every[6:], "two")
    assert len(gather(PreparedData(*parts), Choice()).labels) == 12


def test_data_of_another_pack_is_refused(
    made: Callable[..., Any], prepare: Callable[..., Path], tiny_pack: Path
) -> None:
    manifest = read_manifest(tiny_pack)
    folder = prepare(pairs_of(made), digest="0" * 64)
    with pytest.raises(BadCorpus, match=r"embedded by tiny 0 \(000000000000\), this pack is tiny"):
        open_for(manifest, [folder])


def test_a_stages_model_is_analysed_on_what_it_learned_from(
    made: Callable[..., Any], prepare: Callable[..., Path], tmp_path: Path
) -> None:
    data = prepare(pairs_of(made))
    model = tmp_path / "run" / "manifold"
    save_ssv2a(build_ssv2a(SIZES), model, half=False)
    options = ["--model", str(model), "--out", str(tmp_path / "r.html"), "--json"]
    result = CliRunner().invoke(manifold, ["--data", str(data), *options])
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)["pack"] == str(model)
    (tmp_path / "run" / "manifold.json").write_text('{"data": [{"digest": "other"}]}')
    with pytest.raises(BadCorpus, match="learned from other embeddings"):
        open_for_trained(model, [data])
    (tmp_path / "run" / "manifold.json").write_text("[]")
    with pytest.raises(BadCorpus, match="no record of a stage"):
        open_for_trained(model, [data])


def test_splits_that_are_not_there_are_named(
    made: Callable[..., Any], prepare: Callable[..., Path]
) -> None:
    data = PreparedData(prepare([made("a.wav"), made("b.wav", "train"), made("c.wav", "train")]))
    with pytest.raises(BadCorpus, match=r"'judge'; it has test \(1\), train \(2\)"):
        gather(data, Choice(split="judge"))
    with pytest.raises(BadCorpus, match="split 'test' has 0 classes"):
        gather(data, Choice())


def test_chords_are_drawn_for_links_only_and_names_are_escaped() -> None:
    links = np.array([[1.0, 0.5, 0.0], [0.5, 1.0, 0.0], [0.0, 0.0, 1.0]])
    drawn = svg.chord(["a<b", "c", "d"], links, svg.palette(3), "w")
    assert drawn.count('fill-opacity=".45"') == 1
    assert "a&lt;b" in drawn
    assert "a<b" not in drawn


def test_colours_differ() -> None:
    assert len(set(svg.palette(24))) == 24
