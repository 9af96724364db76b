"""A pack may bring a learned vocoder; one without sounds by Griffin-Lim."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from engine.models.loading import load_vocoder
from engine.models.pack import MANIFEST, VOCODER_FILE, read_manifest
from engine.models.saving import save_starter
from engine.models.sizes import random_parts, tiny_sizes
from engine.synthesis.vocos import VocosSettings
from osc_bridge.errors import BadCheckpoint, PackCorrupt

SIZES = VocosSettings(width=16, hidden=32, layers=2)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("packs") / "voiced"
    parts = random_parts(replace(tiny_sizes(), vocoder=SIZES), seed=1)
    save_starter(folder, parts, name="voiced", version="0")
    return folder


@pytest.fixture
def voiced(made: Path, tmp_path: Path) -> Path:
    """A pack that the test may damage."""
    return Path(shutil.copytree(made, tmp_path / "copy"))


def edit(folder: Path, table: str, **changes: object) -> None:
    """Change entries of a table of the manifest; None takes one out."""
    data = json.loads((folder / MANIFEST).read_text())
    data[table].update(changes)
    data[table] = {key: value for key, value in data[table].items() if value is not None}
    (folder / MANIFEST).write_text(json.dumps(data))


def test_the_vocoder_comes_back_as_it_was_saved(voiced: Path) -> None:
    loaded = load_vocoder(voiced, read_manifest(voiced))
    assert loaded is not None
    assert loaded.settings == SIZES
    parts = random_parts(replace(tiny_sizes(), vocoder=SIZES), seed=1)
    assert parts.vocoder is not None
    for name, tensor in parts.vocoder.state_dict().items():
        torch.testing.assert_close(loaded.state_dict()[name], tensor.half().float())
    assert not any(p.requires_grad for p in loaded.parameters())


def test_the_other_weights_are_the_same_with_and_without(tiny_pack: Path, made: Path) -> None:
    with_one, without = read_manifest(made), read_manifest(tiny_pack)
    assert load_vocoder(tiny_pack, without) is None
    assert with_one.files.keys() - without.files.keys() == {VOCODER_FILE}
    assert without.files.items() <= with_one.files.items()


def test_sizes_without_a_file_are_named(voiced: Path) -> None:
    edit(voiced, "files", **{VOCODER_FILE: None})
    with pytest.raises(PackCorrupt, match=f"lists no {VOCODER_FILE}"):
        load_vocoder(voiced, read_manifest(voiced))


def test_a_file_without_sizes_is_named(voiced: Path) -> None:
    edit(voiced, "sizes", vocoder=None)
    with pytest.raises(PackCorrupt, match="no 'vocoder'"):
        load_vocoder(voiced, read_manifest(voiced))


@pytest.mark.parametrize(
    ("sizes", "said"),
    [
        ({"layers": 65}, "1 to 64"),
        ({"width": 0}, "1 to 8192"),
        ({"hidden": 1.5}, "whole numbers"),
        ({"window": 1024}, "none of width, hidden, layers"),
        ([], "not an object"),
    ],
)
def test_sizes_that_no_vocoder_has_are_named(voiced: Path, sizes: object, said: str) -> None:
    edit(voiced, "sizes", vocoder=sizes)
    with pytest.raises(PackCorrupt, match=said):
        load_vocoder(voiced, read_manifest(voiced))


def test_weights_of_other_sizes_are_named(voiced: Path) -> None:
    edit(voiced, "sizes", vocoder={"width": 8, "hidden": 32, "layers": 2})
    with pytest.raises(BadCheckpoint, match=r"blocks\.0\.down\.bias"):
        load_vocoder(voiced, read_manifest(voiced))


def test_sizes_that_the_file_does_not_have_get_no_memory(voiced: Path) -> None:
    edit(voiced, "sizes", vocoder={"width": 8192, "hidden": 8192, "layers": 64})
    with pytest.raises(BadCheckpoint, match=r"wrong|missing"):
        load_vocoder(voiced, read_manifest(voiced))
