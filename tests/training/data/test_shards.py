"""Shards: what is written is what is read, by us and by any WebDataset reader; damage is found."""

from __future__ import annotations

import io
import json
import pickle
import tarfile
from pathlib import Path

import numpy as np
import pytest

from engine.training.data.samples import Facts, Sample
from engine.training.data.shards import (
    Bad,
    index_of,
    is_finished,
    read_shard,
    verify_shard,
    write_shard,
)
from osc_bridge.errors import BadCorpus


def sample(number: int) -> Sample:
    draw = np.random.default_rng(number)
    kinds = ("clean", "translated")[: 1 + number % 2]
    facts = Facts(f"é{number}.wav", "train", "a dog", "dog", "CC0", "p", 1.5, True, kinds)
    arrays = {
        "clap": draw.normal(size=5).astype("<f4"),
        "clip": draw.normal(size=(len(kinds), 3)).astype("<f4"),
        "mel": draw.normal(size=(7 + number, 4)).astype("<f2"),
    }
    return Sample(facts, arrays)


@pytest.fixture
def tar(tmp_path: Path) -> Path:
    write_shard(tmp_path / "train-000000.tar", map(sample, range(5)), [Bad("x.wav", "silent")])
    return tmp_path / "train-000000.tar"


def test_what_was_written_is_read(tar: Path) -> None:
    shard = read_shard(tar)
    assert [e.facts for e in shard.entries] == [sample(n).facts for n in range(5)]
    assert shard.bad == (Bad("x.wav", "silent"),)
    for number in range(5):
        for name, wanted in sample(number).arrays.items():
            np.testing.assert_array_equal(shard.array(number, name), wanted)
    with pytest.raises(KeyError):
        shard.array(0, "frames")


def test_arrays_are_copies_that_a_training_may_change(tar: Path) -> None:
    shard = read_shard(tar)
    shard.array(1, "clap")[:] = 0
    np.testing.assert_array_equal(shard.array(1, "clap"), sample(1).arrays["clap"])


def test_equal_samples_give_equal_bytes(tar: Path, tmp_path: Path) -> None:
    again = tmp_path / "again.tar"
    write_shard(again, map(sample, range(5)), [])
    assert again.read_bytes() == tar.read_bytes()


def test_a_shard_goes_to_other_processes_without_its_map(tar: Path) -> None:
    shard = read_shard(tar)
    shard.array(0, "clap")
    there = pickle.loads(pickle.dumps(shard))
    np.testing.assert_array_equal(there.array(2, "mel"), sample(2).arrays["mel"])


def test_webdataset_reads_it(tar: Path) -> None:
    from webdataset.tariterators import group_by_keys, tar_file_expander

    with tar.open("rb") as file:
        read = list(group_by_keys(tar_file_expander([{"url": str(tar), "stream": file}])))
    names = [json.loads(each["json"])["name"] for each in read]
    assert names == [f"é{n}.wav" for n in range(5)]
    mel = np.load(io.BytesIO(read[3]["mel.npy"]), allow_pickle=False)
    np.testing.assert_array_equal(mel, sample(3).arrays["mel"])


def test_tar_holds_plain_members_only(tar: Path) -> None:
    with tarfile.open(tar) as archive:
        members = archive.getmembers()
    assert all(m.isreg() and m.name.endswith((".json", ".npy")) for m in members)
    assert {(m.uid, m.mtime, m.uname) for m in members} == {(0, 0, "")}


def test_damage_is_found(tar: Path) -> None:
    verify_shard(tar)
    data = bytearray(tar.read_bytes())
    data[len(data) // 2] ^= 1
    tar.write_bytes(data)
    with pytest.raises(BadCorpus, match="SHA-256"):
        verify_shard(tar)
    tar.write_bytes(data[:-512])
    with pytest.raises(BadCorpus, match="bytes, its index says"):
        read_shard(tar)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda index: index["samples"][0]["arrays"]["clap"].update(at=10**9),
        lambda index: index["samples"][0]["arrays"]["clap"].update(shape=[-5]),
        lambda index: index["samples"][0]["arrays"]["clap"].update(shape=[5, 1]),
        lambda index: index["samples"][0]["arrays"].update(other={"at": 0, "shape": [1]}),
        lambda index: index["samples"][0]["arrays"].pop("clip"),
        lambda index: index["samples"][0]["facts"].update(kinds=["clean", "clean"]),
        lambda index: index["samples"][0]["facts"].update(kinds=["guessed"]),
        lambda index: index["samples"][0]["facts"].update(name=7),
        lambda index: index["samples"][0]["facts"].pop("licence"),
        lambda index: index.pop("samples"),
        lambda index: index.update(format=99),
    ],
)
def test_an_index_that_does_not_fit_is_refused(tar: Path, spoil: object) -> None:
    index = json.loads(index_of(tar).read_bytes())
    spoil(index)  # type: ignore[operator]
    index_of(tar).write_text(json.dumps(index))
    with pytest.raises(BadCorpus):
        read_shard(tar)


def test_a_shard_without_index_is_not_finished(tar: Path) -> None:
    assert is_finished(tar)
    index_of(tar).unlink()
    assert not is_finished(tar)
    with pytest.raises(BadCorpus, match="0 bytes"):
        read_shard(tar)


def test_a_sample_that_no_reader_would_take_is_refused() -> None:
    good = sample(1)
    with pytest.raises(ValueError, match="float64"):
        Sample(good.facts, {**good.arrays, "clap": np.zeros(5)})
    with pytest.raises(ValueError, match="one kind"):
        Sample(good.facts, {**good.arrays, "clip": np.zeros((9, 3), "<f4")})
