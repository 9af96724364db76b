from __future__ import annotations

import dataclasses
import json
import pickle
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from engine.cmss import SSV2A, SSV2AConfig, load_ssv2a, save_ssv2a
from osc_bridge.errors import BadCheckpoint, FileMissing


@pytest.fixture
def folder(published: Path, tmp_path: Path) -> Path:
    shutil.copytree(published, tmp_path / "model")
    return tmp_path / "model"


class Evil:
    """Creates a file when unpickled."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.marker,)


def same_weights(one: SSV2A, other: SSV2A) -> bool:
    states = one.state_dict(), other.state_dict()
    return states[0].keys() == states[1].keys() and all(
        torch.equal(tensor, states[1][name]) for name, tensor in states[0].items()
    )


def test_safetensors_round_trip_is_exact(folder: Path, tmp_path: Path) -> None:
    model = load_ssv2a(folder)
    paths = save_ssv2a(model, tmp_path / "new" / "pack", half=False)
    assert sorted(path.name for path in paths) == ["ssv2a.json", "ssv2a.safetensors"]
    again = load_ssv2a(tmp_path / "new" / "pack")
    assert same_weights(model, again)
    assert again.config == model.config
    assert not again.training
    assert all(parameter.requires_grad for parameter in again.parameters())


def test_half_precision_is_read_as_float32(any_model: SSV2A, tmp_path: Path) -> None:
    save_ssv2a(any_model, tmp_path, half=True)
    again = load_ssv2a(tmp_path)
    assert again.aggregator is None
    for name, tensor in again.state_dict().items():
        assert tensor.dtype == torch.float32
        assert torch.equal(tensor, any_model.state_dict()[name].half().float())


def test_saving_replaces_the_weights_of_before(model: SSV2A, tmp_path: Path) -> None:
    save_ssv2a(model, tmp_path, half=False)
    model.logit_scale.data += 1.0
    save_ssv2a(model, tmp_path, half=False)
    assert torch.equal(load_ssv2a(tmp_path).logit_scale, model.logit_scale)
    assert {path.name for path in tmp_path.iterdir()} == {"ssv2a.json", "ssv2a.safetensors"}


@pytest.mark.parametrize("file", ["ssv2a.pth", "agg.pth"])
@pytest.mark.parametrize("torch_format", [True, False])
def test_code_in_a_checkpoint_is_not_run(folder: Path, file: str, torch_format: bool) -> None:
    marker = folder / "was_here"
    payload = {"timestamp": "now", "manifold_state": Evil(marker)}
    if torch_format:
        torch.save(payload, folder / file)
    else:
        (folder / file).write_bytes(pickle.dumps(payload, protocol=2))
    with pytest.raises(BadCheckpoint, match=file):
        load_ssv2a(folder)
    assert not marker.exists()


def test_keys_are_strict_and_both_kinds_are_listed(folder: Path) -> None:
    data = torch.load(folder / "ssv2a.pth", weights_only=True)
    state = data["generator_state"]
    state["out_nu.weight"] = state.pop("out_mu.weight")
    torch.save(data, folder / "ssv2a.pth")
    with pytest.raises(BadCheckpoint) as error:
        load_ssv2a(folder)
    assert "missing ['out_mu.weight'], unexpected ['out_nu.weight']" in str(error.value)


def test_parts_are_strict_and_both_kinds_are_listed(folder: Path) -> None:
    data = torch.load(folder / "ssv2a.pth", weights_only=True)
    data["decoder_state"] = data.pop("remixer_state")
    torch.save(data, folder / "ssv2a.pth")
    with pytest.raises(BadCheckpoint) as error:
        load_ssv2a(folder)
    assert "missing ['remixer_state'], unexpected ['decoder_state']" in str(error.value)


def test_other_shapes_and_numbers_are_named(folder: Path, tmp_path: Path) -> None:
    save_ssv2a(load_ssv2a(folder), tmp_path, half=False)
    path = tmp_path / "ssv2a.safetensors"
    tensors = load_file(path)
    tensors["manifold_state.logit_scale"] = torch.tensor(float("nan"))
    tensors["generator_state.out_mu.bias"] = torch.zeros(3)
    save_file(tensors, path)
    with pytest.raises(BadCheckpoint) as error:
        load_ssv2a(tmp_path)
    assert "manifold_state.logit_scale holds NaN" in str(error.value)
    assert "generator_state.out_mu.bias has shape (3,), expected (512,)" in str(error.value)


@pytest.mark.parametrize("name", ["decoder_state.weight", "logit_scale", "manifold_state."])
def test_tensors_of_no_part_are_refused(model: SSV2A, tmp_path: Path, name: str) -> None:
    save_ssv2a(model, tmp_path, half=False)
    path = tmp_path / "ssv2a.safetensors"
    save_file({**load_file(path), name: torch.zeros(1)}, path)
    with pytest.raises(BadCheckpoint, match=f"unexpected tensor '{name}'"):
        load_ssv2a(tmp_path)


@pytest.mark.parametrize("file", ["ssv2a.pth", "agg.pth", "ssv2a.safetensors", "ssv2a.json"])
@pytest.mark.parametrize("keep", [0, 1000])
def test_a_truncated_file_is_named(folder: Path, file: str, keep: int) -> None:
    save_ssv2a(load_ssv2a(folder), folder, half=False)
    if file.endswith(".pth"):
        (folder / "ssv2a.safetensors").unlink()
    whole = (folder / file).read_bytes()
    (folder / file).write_bytes(whole[: min(keep, len(whole) - 100)])
    with pytest.raises(BadCheckpoint, match=file):
        load_ssv2a(folder)


def test_a_checkpoint_of_other_things_is_refused(folder: Path) -> None:
    for content in ([1, 2], {1: 2}, torch.zeros(3)):
        torch.save(content, folder / "ssv2a.pth")
        with pytest.raises(BadCheckpoint, match=r"ssv2a\.pth"):
            load_ssv2a(folder)


def test_integers_are_no_weights(folder: Path) -> None:
    data = torch.load(folder / "ssv2a.pth", weights_only=True)
    data["manifold_state"]["logit_scale"] = torch.tensor(3)
    torch.save(data, folder / "ssv2a.pth")
    with pytest.raises(BadCheckpoint, match="'logit_scale' of Tensor"):
        load_ssv2a(folder)


def test_missing_files_are_named(folder: Path) -> None:
    (folder / "ssv2a.pth").unlink()
    with pytest.raises(FileMissing, match=r"ssv2a\.pth"):
        load_ssv2a(folder)
    (folder / "ssv2a.json").unlink()
    with pytest.raises(FileMissing, match=r"ssv2a\.json"):
        load_ssv2a(folder)


def test_a_configuration_of_another_size_does_not_fit(folder: Path) -> None:
    data = json.loads((folder / "ssv2a.json").read_text())
    data["clip_dim"] += 1
    (folder / "ssv2a.json").write_text(json.dumps(data))
    with pytest.raises(BadCheckpoint, match=r"clip_encoder\.model\.0\.weight has shape"):
        load_ssv2a(folder)


def test_an_enormous_configuration_costs_no_memory(folder: Path) -> None:
    data = json.loads((folder / "ssv2a.json").read_text())
    data["manifold"]["layers"] = [65_536] * 64
    (folder / "ssv2a.json").write_text(json.dumps(data))
    with pytest.raises(BadCheckpoint, match="does not fit"):
        load_ssv2a(folder)


def test_the_published_file_and_the_dataclass_say_the_same(published: Path) -> None:
    data = json.loads((published / "ssv2a.json").read_text())
    config = SSV2AConfig.from_mapping(data)
    again = json.loads(config.to_json())
    assert again["remixer"]["styler"].pop("exp_rate") == 1
    assert again == data
    assert SSV2AConfig.from_mapping(json.loads(config.to_json())) == config
    with pytest.raises(dataclasses.FrozenInstanceError):
        config.clip_dim = 3  # type: ignore[misc]


CHANGES = [
    (("manifold", "arch"), "transformer", "arch = 'transformer'"),
    (("generator", "arch"), "linear", "allowed is 'mlp'"),
    (("remixer", "styler", "arch"), "mlp", "allowed is 'transformer'"),
    (("remixer", "guidance"), "manifold+generator", "guidance = 'manifold.generator'"),
    (("manifold", "variational"), False, "variational = 'False'"),
    (("manifold", "variational"), 1, "variational = '1'"),
    (("generator", "disabled"), True, "disabled = 'True'"),
    (("remixer", "styler", "nhead"), 5, "a divisor of embed_dim"),
    (("remixer", "slot"), 1, "slot = '1'"),
    (("clip_dim",), -4, "clip_dim = '-4'"),
    (("clip_dim",), 10**9, "clip_dim = '1000000000'"),
    (("clap_dim",), "512", "clap_dim"),
    (("manifold", "layers"), [], "a list of 1 to 64 widths"),
    (("manifold", "layers"), [4, "x"], r"layers\[1\] = 'x'"),
    (("manifold", "dropout"), 1.0, "dropout = '1.0'"),
    (("manifold", "dropout"), float("nan"), "dropout = 'nan'"),
    (("manifold", "resnet"), 3, "true or false"),
    (("manifold",), [1], "manifold = "),
    (("detector",), "yolo", "detector = 'yolo'"),
]


@pytest.mark.parametrize(("where", "value", "said"), CHANGES)
def test_a_configuration_names_what_it_cannot_be(
    folder: Path, where: tuple[str, ...], value: object, said: str
) -> None:
    data = json.loads((folder / "ssv2a.json").read_text())
    part = data
    for key in where[:-1]:
        part = part[key]
    part[where[-1]] = value
    with pytest.raises(BadCheckpoint, match=said) as error:
        SSV2AConfig.from_mapping(data)
    assert "allowed" in str(error.value)
    assert ": use" in str(error.value)


@pytest.mark.parametrize("where", [(), ("manifold",), ("generator",), ("remixer", "styler")])
def test_configuration_keys_are_strict(folder: Path, where: tuple[str, ...]) -> None:
    data = json.loads((folder / "ssv2a.json").read_text())
    part = data
    for key in where:
        part = part[key]
    part["colour"] = 1
    gone = "clip_dim" if not where else "dropout"
    del part[gone]
    with pytest.raises(BadCheckpoint) as error:
        SSV2AConfig.from_mapping(data)
    assert f"missing keys ['{gone}'], unknown keys ['colour']" in str(error.value)
