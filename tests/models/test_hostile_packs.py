"""Packs from a forum: each lie has its error, costs little memory, and runs nothing."""

from __future__ import annotations

import json
import os
import pickle
import shutil
import struct
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from engine.models import loading
from engine.models.loading import LoadedPack, load_pack
from engine.models.pack import (
    AUDIO_FILE,
    CODEC_FILE,
    GENERATOR_FILE,
    MANIFEST,
    file_hash,
    read_manifest,
)
from engine.models.warming import warm_up
from osc_bridge.errors import BadCheckpoint, ModelError, PackCorrupt

BOMB_BYTES = 2**36
SSV2A_FILE = "ssv2a.safetensors"


@pytest.fixture
def pack(
    tiny_pack: Path,
    tmp_path: Path,
    loaded_tiny_pack: LoadedPack,
    monkeypatch: pytest.MonkeyPatch,
) -> Path:
    """A pack to damage; perception is not loaded again for it."""
    monkeypatch.setattr(loading, "load_text_encoder", lambda _device: loaded_tiny_pack.texts)
    monkeypatch.setattr(loading, "load_image_encoder", lambda *_: loaded_tiny_pack.images)
    return Path(shutil.copytree(tiny_pack, tmp_path / "pack"))


@pytest.fixture(autouse=True)
def little_memory() -> Any:
    """Refuse more than 8 GB of address space beyond what there is, so that a bomb is heard.

    Windows has no such limit: there the same packs are refused without it.
    """
    if sys.platform == "win32":
        yield
        return
    import resource

    before = resource.getrlimit(resource.RLIMIT_AS)
    statm = Path("/proc/self/statm")
    if statm.is_file():
        there = int(statm.read_text().split()[0]) * os.sysconf("SC_PAGE_SIZE")
        resource.setrlimit(resource.RLIMIT_AS, (there + 2**33, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_AS, before)


def edit(pack: Path, role: str, **sizes: object) -> None:
    """Change sizes in the manifest."""
    data = json.loads((pack / MANIFEST).read_text())
    data["sizes"][role].update(sizes)
    (pack / MANIFEST).write_text(json.dumps(data))


def rehash(pack: Path, *names: str) -> None:
    """Make the manifest agree with replaced files: the hashes are the forger's, too."""
    data = json.loads((pack / MANIFEST).read_text())
    data["files"].update({name: file_hash(pack / name) for name in names})
    (pack / MANIFEST).write_text(json.dumps(data))


def forge(pack: Path, name: str, change: Callable[[dict[str, torch.Tensor]], None]) -> None:
    """Change the tensors of a file."""
    tensors = load_file(pack / name)
    change(tensors)
    save_file(tensors, pack / name)
    rehash(pack, name)


@pytest.mark.parametrize(
    ("role", "sizes"),
    [
        ("generator", {"width": 8190, "layers": 64, "heads": 1}),
        ("generator", {"expansion": 64, "width": 8192}),
        ("codec", {"width": 8192, "dims": 8}),
        ("audio", {"widths": [8192] * 4}),
        ("audio", {"widths": [8192] * 6, "dim": 32}),
    ],
)
def test_sizes_that_the_files_do_not_have_get_no_memory(
    pack: Path, role: str, sizes: dict[str, object]
) -> None:
    edit(pack, role, **sizes)
    with pytest.raises(BadCheckpoint, match=r"wrong|missing"):
        load_pack(pack)


@pytest.mark.parametrize(
    ("role", "sizes", "said"),
    [
        ("generator", {"layers": 65}, "1 to 64"),
        ("generator", {"layers": 3}, "even"),
        ("generator", {"heads": 3}, "twice the 3 heads"),
        ("generator", {"heads": 0}, "1 to 256"),
        ("generator", {"width": 32.5}, "whole numbers"),
        ("generator", {"width": True}, "whole numbers"),
        ("generator", {"width": [32]}, "whole numbers"),
        ("generator", {"frame_s": float("nan")}, "above 0"),
        ("generator", {"frame_s": float("inf")}, "above 0"),
        ("generator", {"frame_s": "x"}, "no number"),
        ("generator", {"width": 10**400}, "1 to 8192"),
        ("codec", {"patch": 7}, "multiples of 2"),
        ("audio", {"widths": []}, "1 to 6"),
        ("audio", {"widths": [8] * 7}, "1 to 6"),
        ("audio", {"widths": [8, [8]]}, "whole numbers"),
        ("audio", {"widths": [12, 8]}, "multiples of 8"),
        ("audio", {"__init__": 8}, "none of widths, dim"),
    ],
)
def test_sizes_that_no_network_has_are_named(
    pack: Path, role: str, sizes: dict[str, object], said: str
) -> None:
    edit(pack, role, **sizes)
    with pytest.raises(PackCorrupt, match=said):
        load_pack(pack)


@pytest.mark.parametrize("sizes", [[], "x", None, 5])
def test_sizes_that_are_no_object_are_refused(pack: Path, sizes: object) -> None:
    data = json.loads((pack / MANIFEST).read_text())
    data["sizes"]["audio"] = sizes
    (pack / MANIFEST).write_text(json.dumps(data))
    with pytest.raises(PackCorrupt, match="sizes of 'audio'"):
        load_pack(pack)


def bomb_header(shape: list[int], end: int) -> bytes:
    header = json.dumps(
        {"edges.phase": {"dtype": "F32", "shape": shape, "data_offsets": [0, end]}}
    ).encode()
    return struct.pack("<Q", len(header)) + header


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\0" * 8,
        struct.pack("<Q", 2**62) + b"{}",
        struct.pack("<Q", 10) + b"{" * 10,
        bomb_header([BOMB_BYTES // 4], BOMB_BYTES),
        bomb_header([BOMB_BYTES // 4], 4) + b"\0" * 4,
        bomb_header([1], 4),
        bomb_header([2**62, 2**62], 4) + b"\0" * 4,
        bomb_header([-1], 4) + b"\0" * 4,
        struct.pack("<Q", 200_000) + b"[" * 200_000,
    ],
)
@pytest.mark.parametrize("name", [CODEC_FILE, SSV2A_FILE])
def test_lying_headers_are_found_before_memory_is_taken(pack: Path, name: str, data: bytes) -> None:
    (pack / name).write_bytes(data)
    rehash(pack, name)
    with pytest.raises(BadCheckpoint, match=r"safetensors"):
        load_pack(pack)


@pytest.mark.parametrize(
    ("name", "change", "said"),
    [
        (CODEC_FILE, lambda t: t.pop("mean"), "missing .'mean'"),
        (CODEC_FILE, lambda t: t.update(more=torch.ones(2)), "unexpected .'more'"),
        (CODEC_FILE, lambda t: t.update(scale=torch.ones(3)), r"scale is \(3,\), expected \(8,\)"),
        (CODEC_FILE, lambda t: t.update(scale=torch.ones(8).long()), "scale is I64"),
        (CODEC_FILE, lambda t: t.update(scale=torch.ones(8).to(torch.complex64)), "scale is C64"),
        (GENERATOR_FILE, lambda t: t["nothing"].fill_(float("nan")), "NaN or infinity in .'noth"),
        (AUDIO_FILE, lambda t: t["head.2.bias"].fill_(float("inf")), "NaN or infinity"),
        (SSV2A_FILE, lambda t: t["manifold_state.logit_scale"].fill_(float("nan")), "NaN"),
        (SSV2A_FILE, lambda t: t.update({"other_state.x": torch.ones(2)}), "unexpected tensor"),
        (SSV2A_FILE, lambda t: t.clear(), "missing"),
    ],
)
def test_weights_that_do_not_fit_are_named(
    pack: Path, name: str, change: Callable[[dict[str, torch.Tensor]], None], said: str
) -> None:
    forge(pack, name, change)
    with pytest.raises(BadCheckpoint, match=said):
        load_pack(pack)


def test_a_configuration_of_the_remixer_gets_no_memory_either(pack: Path) -> None:
    config = json.loads((pack / "ssv2a.json").read_text())
    for part in ("manifold", "generator"):
        config[part]["layers"] = [65_536] * 64
    (pack / "ssv2a.json").write_text(json.dumps(config))
    rehash(pack, "ssv2a.json")
    with pytest.raises(BadCheckpoint, match="does not fit"):
        load_pack(pack)


@pytest.mark.parametrize("name", [CODEC_FILE, SSV2A_FILE, GENERATOR_FILE])
def test_pickled_code_never_runs(pack: Path, name: str) -> None:
    class Bomb:
        def __reduce__(self) -> tuple[object, tuple[object, ...]]:
            return (os.mkdir, (str(pack / "ran"),))

    for form in (pickle.dumps(Bomb()), zipped(Bomb(), pack)):
        (pack / name).write_bytes(form)
        rehash(pack, name)
        with pytest.raises(BadCheckpoint):
            load_pack(pack)
    assert not (pack / "ran").exists()


def zipped(value: object, folder: Path) -> bytes:
    """What ``torch.save`` writes, as a ``.pth`` from a forum would be."""
    torch.save(value, folder / "forum.pth")
    return (folder / "forum.pth").read_bytes()


def test_a_pipe_in_the_place_of_weights_does_not_hang(pack: Path) -> None:
    (pack / CODEC_FILE).unlink()
    os.mkfifo(pack / CODEC_FILE)
    with pytest.raises(PackCorrupt, match="is not a file"):
        load_pack(pack)


def test_networks_that_do_not_meet_are_named(pack: Path, tiny_pack: Path) -> None:
    edit(pack, "generator", dims=10)

    def widen(tensors: dict[str, torch.Tensor]) -> None:
        tensors["enter.weight"] = torch.zeros(32, 12)
        tensors["leave.weight"] = torch.zeros(10, 32)
        tensors["leave.bias"] = torch.zeros(10)

    forge(pack, GENERATOR_FILE, widen)
    with pytest.raises(PackCorrupt, match="generator and codec meet with 10 and 8"):
        load_pack(pack)


def test_a_pack_that_gives_nan_is_found_at_warm_up(pack: Path) -> None:
    forge(pack, GENERATOR_FILE, lambda t: t["leave.weight"].mul_(0).add_(6e4))
    forge(pack, CODEC_FILE, lambda t: t["basis"].mul_(0).add_(6e4))
    loaded = load_pack(pack)
    with pytest.raises(BadCheckpoint, match="NaN or infinity"):
        warm_up(loaded)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("name", "a\nb"),
        ("name", "x" * 81),
        ("licence", "\x1b[2J"),
        ("sample_rate", 48_000),
        ("files", {f"{number}": "0" * 64 for number in range(101)}),
        ("format", "1" * 10_000),
        ("kind", "x" * 100_000),
    ],
)
def test_a_manifest_with_odd_values_is_refused_in_a_short_sentence(
    pack: Path, key: str, value: object
) -> None:
    data = json.loads((pack / MANIFEST).read_text())
    (pack / MANIFEST).write_text(json.dumps({**data, key: value}))
    with pytest.raises(PackCorrupt) as caught:
        load_pack(pack)
    assert len(str(caught.value)) < 1000
    assert str(caught.value).isprintable()


@pytest.mark.parametrize("data", [b"[" * 100_000, b"\xff\xfe", b"null", b"1e999", b'"' * 3])
def test_a_manifest_that_is_no_manifest_is_refused(pack: Path, data: bytes) -> None:
    (pack / MANIFEST).write_bytes(data)
    with pytest.raises(PackCorrupt):
        read_manifest(pack)


def test_every_refusal_is_an_error_of_models(pack: Path) -> None:
    """So that it has a code, and the engine goes on."""
    assert issubclass(PackCorrupt, ModelError)
    assert issubclass(BadCheckpoint, ModelError)
    assert load_pack(pack).manifest.name == "tiny"
