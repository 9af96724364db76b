"""Batches: their order hangs on seed and step alone, whoever reads them and however often."""

from __future__ import annotations

import json
import pickle
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader

from engine.training.data.batches import (
    PairBatches,
    SceneBatches,
    VideoBatches,
    in_order,
    stream,
)
from engine.training.data.prepared import PreparedData, Selection
from engine.training.data.samples import KINDS, Facts, Kind, Sample
from engine.training.data.shards import write_shard
from osc_bridge.errors import BadCorpus, FileMissing, OutOfRange

SAMPLES = 23


def sample(number: int) -> Sample:
    """Vectors that tell which sample and view they are; every third belongs to class "b"."""
    kinds: list[tuple[Kind, ...]] = [("clean", "words"), ("curated",), ("translated", "words"), ()]
    mine = kinds[number % 4]
    facts = Facts(
        name=f"{number}.wav",
        split="test" if number == 22 else "train",
        text="x",
        foley_class="b" if number % 3 == 0 else "a",
        licence="CC0" if number % 2 else "unknown",
        package="p",
        duration_s=1.0,
        may_publish=bool(number % 2),
        kinds=mine,
    )
    clip = [[number, view, 0] for view in range(len(mine))]
    arrays = {
        "clap": np.array([number, 1], "<f4"),
        "clip": np.array(clip, "<f4").reshape(-1, 3),
    }
    if number % 5 == 0:
        arrays |= {
            "sources": np.full((number, 3), number, "<f4"),
            "frame": np.full(3, -number, "<f4"),
            "frames": np.full((64, 3), number, "<f2"),
        }
    return Sample(facts, arrays)


@pytest.fixture
def data(tmp_path: Path) -> PreparedData:
    write_shard(tmp_path / "train-000000.tar", map(sample, range(9)), [])
    write_shard(tmp_path / "train-000001.tar", map(sample, range(9, 22)), [])
    write_shard(tmp_path / "test-000000.tar", [sample(22)], [])
    manifest = {
        "clip_dim": 3,
        "clap_dim": 2,
        "shards": ["train-000000", "train-000001", "test-000000"],
    }
    (tmp_path / "data.json").write_text(json.dumps(manifest))
    return PreparedData(tmp_path)


@pytest.fixture
def pairs(data: PreparedData) -> Selection:
    return data.select("train", ["clean", "curated", "translated"])


def test_selection_keeps_to_what_was_asked(data: PreparedData) -> None:
    assert len(data) == SAMPLES
    assert data.classes == ("a", "b")
    clean = data.select("train", ["clean"])
    assert clean.rows.tolist() == [0, 4, 8, 12, 16, 20]
    published = data.select("train", KINDS, published=True)
    assert all(row % 2 for row in published.rows)
    every = data.select("train", ())
    assert every.rows.tolist() == list(range(22))
    with pytest.raises(BadCorpus, match="'valid'"):
        data.select("valid")


def test_an_epoch_brings_every_sample_once(pairs: Selection) -> None:
    batches = PairBatches(pairs, size=4, seed=3)
    assert batches.steps_per_epoch == 4
    seen = [n for step in range(4) for n in batches[step].claps[:, 0].tolist()]
    assert len(set(seen)) == 16
    later = [n for step in range(4, 8) for n in batches[step].claps[:, 0].tolist()]
    assert later != seen


def test_both_sides_are_of_the_same_sample(pairs: Selection) -> None:
    for step in range(6):
        batch = PairBatches(pairs, size=8, seed=1)[step]
        assert torch.equal(batch.clips[:, 0], batch.claps[:, 0])
        rows = pairs.pairs[batch.pairs.numpy()]
        assert rows[:, 1].tolist() == batch.clips[:, 1].tolist()
        kinds = [KINDS[k] for k in batch.kinds.tolist()]
        assert kinds == [pairs.data.facts(int(r)).kinds[int(v)] for r, v in rows]
        classes = [pairs.data.classes[c] for c in batch.classes.tolist()]
        assert classes == [pairs.data.facts(int(r)).foley_class for r, _ in rows]


@pytest.mark.parametrize("power", [0.0, 0.7])
@pytest.mark.parametrize("world", [1, 2, 4])
def test_ranks_share_the_one_batch(pairs: Selection, world: int, power: float) -> None:
    whole = PairBatches(pairs, size=8, seed=5, power=power)
    parts = [PairBatches(pairs, 8, 5, rank, world, power) for rank in range(world)]
    for step in (0, 1, 17):
        together = torch.cat([part[step].clips for part in parts])
        assert torch.equal(together, whole[step].clips)


@pytest.mark.parametrize("threads", [1, 3])
def test_any_number_of_workers_gives_the_same_order(pairs: Selection, threads: int) -> None:
    """A loader's worker is another process with a pickled copy; a stream's is a thread."""
    batches = PairBatches(pairs, size=4, seed=5)
    there = pickle.loads(pickle.dumps(batches))
    wanted = [batches[step].clips for step in range(3, 9)]
    loaded = DataLoader(there, batch_size=None, sampler=range(3, 9))
    for read in (loaded, stream(batches, 3, 9, threads)):
        assert all(torch.equal(a, b.clips) for a, b in zip(wanted, read, strict=True))


def test_a_stream_may_be_left_early(pairs: Selection) -> None:
    ahead = stream(PairBatches(pairs, size=4, seed=5), 0, 10_000)
    next(ahead)
    ahead.close()


def test_seeds_differ(pairs: Selection) -> None:
    first, second = (PairBatches(pairs, size=8, seed=s)[0].clips for s in (1, 2))
    assert not torch.equal(first, second)


def test_full_balance_draws_classes_equally(pairs: Selection) -> None:
    batches = PairBatches(pairs, size=1, seed=1, power=1.0)
    drawn = Counter(int(batches[step].classes[0]) for step in range(600))
    assert 0.42 < drawn[1] / 600 < 0.58
    within = PairBatches(pairs, size=6, seed=1, power=1.0)[0]
    assert len(set(within.claps[:, 0].tolist())) == 6


def test_a_batch_may_be_larger_than_the_data(pairs: Selection) -> None:
    for power in (0.0, 1.0):
        assert len(PairBatches(pairs, size=50, seed=1, power=power)[7].claps) == 50


def test_every_view_of_a_sample_is_drawn(data: PreparedData) -> None:
    both = PairBatches(data.select("train", ["clean", "words"]), size=8, seed=1)
    views = {tuple(row) for step in range(20) for row in both[step].clips[:, :2].tolist()}
    assert {(0.0, 0.0), (0.0, 1.0)} <= views


def test_pairs_come_in_order_and_may_be_discarded(pairs: Selection) -> None:
    batches = list(in_order(pairs, 5))
    assert torch.cat([b.pairs for b in batches]).tolist() == list(range(len(pairs.pairs)))
    scores = torch.cat([b.claps[:, 0] for b in batches]).numpy()
    kept = pairs.keep(scores > 10)
    assert set(kept.rows.tolist()) == {int(s) for s in scores if s > 10}
    with pytest.raises(BadCorpus, match="No pair is left"):
        pairs.keep(scores > 99)


def test_balanced_version_has_equal_classes(pairs: Selection) -> None:
    balanced = pairs.balanced(seed=1)
    sizes = Counter(balanced.groups)
    assert sizes["a"] == sizes["b"] == min(Counter(pairs.groups).values())
    assert balanced.rows.tolist() == pairs.balanced(seed=1).rows.tolist()
    assert max(Counter(pairs.balanced(seed=1, per_class=2).groups).values()) == 2


def test_scenes_are_padded_to_64_slots(data: PreparedData) -> None:
    scenes = data.select("train", (), needs=("clap", "sources", "frame"))
    batch = SceneBatches(scenes, size=5, seed=1)[0]
    assert sorted(batch.rows.tolist()) == [0, 5, 10, 15, 20]
    assert batch.sources.shape == (5, 64, 3)
    for place, row in enumerate(batch.rows.tolist()):
        assert batch.counts[place] == row
        assert (batch.sources[place, :row] == row).all()
        assert (batch.sources[place, row:] == 0).all()
        assert (batch.frames[place] == -row).all()


def test_videos_have_64_frames(data: PreparedData) -> None:
    videos = data.select("train", (), needs=("clap", "frames"))
    batch = VideoBatches(videos, size=2, seed=1)[3]
    assert batch.frames.shape == (2, 64, 3)
    assert batch.frames.dtype == torch.float32
    assert torch.equal(batch.frames[:, 0, 0].long(), batch.rows)


@pytest.mark.parametrize(("size", "rank", "world"), [(0, 0, 1), (5, 0, 2), (4, 2, 2), (4, -1, 2)])
def test_a_batch_that_cannot_be_shared_is_refused(
    pairs: Selection, size: int, rank: int, world: int
) -> None:
    with pytest.raises(OutOfRange, match="cannot be divided"):
        PairBatches(pairs, size, 1, rank, world)


@pytest.mark.parametrize(
    "text",
    [
        "{}",
        "[]",
        "{",
        '{"clip_dim": 3, "clap_dim": 2, "shards": ["../train-000000"]}',
        '{"clip_dim": 0, "clap_dim": 2, "shards": []}',
        '{"clip_dim": 9, "clap_dim": 2, "shards": ["train-000000"]}',
    ],
)
def test_a_damaged_manifest_is_refused(data: PreparedData, text: str) -> None:
    (data.folders[0] / "data.json").write_text(text)
    with pytest.raises(BadCorpus):
        PreparedData(*data.folders)


def test_several_folders_are_one_if_one_pack_embedded_them(
    data: PreparedData, tmp_path: Path
) -> None:
    (folder,) = data.folders
    both = PreparedData(folder, folder)
    assert len(both) == 2 * SAMPLES
    assert both.array(SAMPLES + 3, "clap").tolist() == data.array(3, "clap").tolist()
    other = tmp_path / "other"
    other.mkdir()
    (other / "data.json").write_text(
        json.dumps({"clip_dim": 3, "clap_dim": 2, "shards": [], "digest": "another"})
    )
    with pytest.raises(BadCorpus, match="different packs"):
        PreparedData(folder, other)


def test_a_folder_that_is_not_prepared_is_told(tmp_path: Path) -> None:
    with pytest.raises(FileMissing, match="wildtrack train data"):
        PreparedData(tmp_path)
