from __future__ import annotations

import json
import pickle
import shutil
from pathlib import Path

import pytest

from engine.models.loading import LoadedPack, load_pack
from engine.models.pack import CODEC_FILE, MANIFEST, file_hash, find_pack, read_manifest
from osc_bridge.errors import BadCheckpoint, DeviceUnavailable, PackCorrupt, PackMissing


@pytest.fixture
def copy(tiny_pack: Path, tmp_path: Path) -> Path:
    """A pack that the test may damage."""
    return Path(shutil.copytree(tiny_pack, tmp_path / "copy"))


def edit(folder: Path, **changes: object) -> None:
    """Change the manifest's fields, keeping it JSON."""
    data = json.loads((folder / MANIFEST).read_text())
    (folder / MANIFEST).write_text(json.dumps({**data, **changes}))


def rehash(folder: Path, name: str) -> None:
    """Make the manifest agree with a file that the test has replaced."""
    files = dict(read_manifest(folder).files)
    edit(folder, files={**files, name: file_hash(folder / name)})


def test_a_loaded_pack_has_every_part(loaded_tiny_pack: LoadedPack) -> None:
    assert loaded_tiny_pack.images.dim == loaded_tiny_pack.texts.dim == 384
    assert loaded_tiny_pack.audio.dim == loaded_tiny_pack.ssv2a.config.clap_dim == 32
    assert loaded_tiny_pack.decoder.sample_rate == loaded_tiny_pack.manifest.sample_rate


def test_a_changed_byte_is_found(copy: Path) -> None:
    data = bytearray((copy / CODEC_FILE).read_bytes())
    data[-1] ^= 1
    (copy / CODEC_FILE).write_bytes(data)
    with pytest.raises(PackCorrupt, match=r"codec\.safetensors has SHA-256 .* install"):
        load_pack(copy)


def test_a_missing_file_is_found(copy: Path) -> None:
    (copy / CODEC_FILE).unlink()
    with pytest.raises(PackCorrupt, match="codec"):
        load_pack(copy)


@pytest.mark.parametrize("name", [CODEC_FILE, "ssv2a.safetensors", "ssv2a.json"])
def test_a_file_without_a_hash_is_not_loaded(copy: Path, name: str) -> None:
    files = dict(read_manifest(copy).files)
    del files[name]
    edit(copy, files=files)
    with pytest.raises(PackCorrupt, match=f"lists no {name}"):
        load_pack(copy)


def test_pickled_code_in_place_of_weights_does_not_run(copy: Path) -> None:
    class Bomb:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return (Path.touch, (Path(copy / "ran"),))  # type: ignore[return-value]

    (copy / CODEC_FILE).write_bytes(pickle.dumps(Bomb()))
    rehash(copy, CODEC_FILE)
    with pytest.raises(BadCheckpoint, match="safetensors"):
        load_pack(copy)
    assert not (copy / "ran").exists()


def test_weights_of_another_size_are_named(copy: Path) -> None:
    sizes = json.loads((copy / MANIFEST).read_text())["sizes"]
    sizes["codec"]["width"] = 24
    edit(copy, sizes=sizes)
    with pytest.raises(BadCheckpoint, match=r"edges\.enter\.weight"):
        load_pack(copy)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"format": 2}, "format 2"),
        ({"sample_rate": -1}, "1000 to 192000 Hz"),
        ({"files": {"../x": "0" * 64}}, "outside its folder"),
        ({"files": {"x": "zz"}}, "no SHA-256"),
        ({"kind": "builtins.eval"}, "kind 'builtins.eval'"),
        ({"extra": 1}, "exactly the keys"),
        ({"sizes": {"audio": {"dim": 10**9}}}, "sizes of 'audio'"),
        ({"sizes": {"audio": {"__class__": 1}}}, "sizes of 'audio'"),
    ],
)
def test_a_manifest_that_is_not_ours_is_refused(
    copy: Path, changes: dict[str, object], said: str
) -> None:
    edit(copy, **changes)
    with pytest.raises(PackCorrupt, match=said):
        load_pack(copy)


def test_a_truncated_manifest_is_refused(copy: Path) -> None:
    (copy / MANIFEST).write_text('{"name": ')
    with pytest.raises(PackCorrupt, match="cannot be read"):
        load_pack(copy)


@pytest.mark.parametrize("name", ["nowhere", "../../etc", "", "a" * 500])
def test_an_unknown_pack_lists_what_there_is(name: str) -> None:
    with pytest.raises(PackMissing, match="installed are"):
        find_pack(name)


def test_an_unknown_device_lists_what_can_be_used(tiny_pack: Path) -> None:
    with pytest.raises(DeviceUnavailable, match="cpu, cuda"):
        load_pack(tiny_pack, "tpu")
