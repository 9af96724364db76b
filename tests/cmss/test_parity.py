from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from engine.cmss.parity import TOLERANCE, run_parity
from osc_bridge.errors import BadCheckpoint, FileMissing


@pytest.fixture
def folder(published: Path, tmp_path: Path) -> Path:
    shutil.copytree(published, tmp_path / "model")
    return tmp_path / "model"


def change(folder: Path, changes: dict[str, torch.Tensor | None]) -> None:
    path = folder / "expected.safetensors"
    tensors = {**load_file(path), **changes}
    save_file({name: value for name, value in tensors.items() if value is not None}, path)


def test_every_output_of_the_published_code_is_matched(published: Path) -> None:
    rows = run_parity(published)
    assert len(rows) == 18
    assert [row for row in rows if not row.ok] == []
    assert max(row.max_abs_error for row in rows) <= TOLERANCE


def test_another_number_or_name_fails_its_row_alone(folder: Path) -> None:
    tensors = load_file(folder / "expected.safetensors")
    change(
        folder,
        {
            "remixer.mu": tensors["remixer.mu"] + 2e-5,
            "generator.mu": tensors["generator.mu"][:4].contiguous(),
            "clip_encoder.mu": torch.full_like(tensors["clip_encoder.mu"], float("nan")),
            "cycle.visual.itsX": torch.ones(2),
            "decoder.mu": torch.ones(3),
        },
    )
    failing = {row.tensor for row in run_parity(folder) if not row.ok}
    assert failing == {
        "remixer.mu",
        "generator.mu",
        "clip_encoder.mu",
        "cycle.visual.itsX",
        "decoder.mu",
    }


def test_outputs_without_their_inputs_fail(folder: Path) -> None:
    change(folder, {"claps": None, "cycle.fixed_src": None, "remixer.src": torch.ones(3, 2, 2)})
    failing = {row.tensor for row in run_parity(folder) if not row.ok}
    mixed = {f"cycle.mixed.its{n}" for n in (0, 1, 2, 8)}
    gaussians = {"clap_encoder.mu", "clap_encoder.log_var", "remixer.mu", "remixer.log_var"}
    assert failing == mixed | gaussians


def test_any_number_of_scenes_and_iterations(folder: Path) -> None:
    tensors = load_file(folder / "expected.safetensors")
    outputs = {k: v[:1].clone() for k, v in tensors.items() if k.startswith("cycle.")}
    settled = tensors["cycle.mixed.its8"][:1].clone()
    change(folder, {**outputs, "cycle.mixed.its11": settled})
    rows = {row.tensor: row for row in run_parity(folder)}
    assert rows["cycle.mixed.its11"].ok
    assert rows["cycle.visual.its8"].shape == (1, 512)


def test_without_an_aggregator_only_its_rows_fail(folder: Path) -> None:
    (folder / "agg.pth").unlink()
    failing = {row.tensor for row in run_parity(folder) if not row.ok}
    assert failing == {"aggregator.mu", "aggregator.log_var"}


def test_nothing_to_compare_is_an_error(folder: Path) -> None:
    path = folder / "expected.safetensors"
    save_file({"clips": torch.ones(1, 2)}, path)
    with pytest.raises(BadCheckpoint, match="no outputs"):
        run_parity(folder)
    path.write_bytes(b"not safetensors")
    with pytest.raises(BadCheckpoint, match="get it again"):
        run_parity(folder)
    path.unlink()
    with pytest.raises(FileMissing, match="expected"):
        run_parity(folder)


def test_another_configuration_is_refused(folder: Path) -> None:
    data = json.loads((folder / "ssv2a.json").read_text())
    data["manifold"]["arch"] = "moe"
    (folder / "ssv2a.json").write_text(json.dumps(data))
    with pytest.raises(BadCheckpoint, match="arch = 'moe'"):
        run_parity(folder)
