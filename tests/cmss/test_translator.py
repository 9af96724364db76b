"""audio2clip inside the model: sources that come as sound carry an image-space half."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from engine.cmss import (
    SSV2A,
    CycleMixSettings,
    SourceEmbedding,
    build_ssv2a,
    load_ssv2a,
    mix,
    save_ssv2a,
)
from engine.cmss.checkpoint import SAFETENSORS_FILE
from engine.cmss.translator import Translator
from engine.models.sizes import tiny_sizes
from osc_bridge.errors import BadCheckpoint

QUICK = CycleMixSettings(iterations=1, samples=2)


@pytest.fixture
def model() -> SSV2A:
    torch.manual_seed(1)
    config = tiny_sizes().ssv2a
    model = build_ssv2a(config)
    model.translator = Translator(config.clap_dim, config.clip_dim, 24)
    return model.eval()


def mixed(model: SSV2A, *modalities: str) -> torch.Tensor:
    config = model.config
    dims = {"clip": config.clip_dim, "clap": config.clap_dim}
    sources = [SourceEmbedding(m, torch.linspace(-1, 1, dims[m])) for m in modalities]  # type: ignore[arg-type]
    return mix(model, sources, settings=QUICK, generator=torch.Generator().manual_seed(1)).a_mix


def test_it_is_saved_and_loaded_with_the_model(model: SSV2A, tmp_path: Path) -> None:
    save_ssv2a(model, tmp_path, half=False)
    again = load_ssv2a(tmp_path)
    assert torch.equal(mixed(again, "clap", "clip"), mixed(model, "clap", "clip"))


def test_it_changes_what_sounds_say_and_nothing_else(model: SSV2A) -> None:
    seen, heard = mixed(model, "clip"), mixed(model, "clap")
    model.translator = None
    assert torch.equal(mixed(model, "clip"), seen)
    assert not torch.allclose(mixed(model, "clap"), heard)


def test_its_vectors_have_unit_length(model: SSV2A) -> None:
    assert model.translator is not None
    lengths = model.translator(torch.randn(5, model.config.clap_dim)).norm(dim=-1)
    assert torch.allclose(lengths, torch.ones(5))


def test_damaged_weights_are_named(model: SSV2A, tmp_path: Path) -> None:
    save_ssv2a(model, tmp_path, half=False)
    path = tmp_path / SAFETENSORS_FILE
    tensors = load_file(path)
    tensors.pop("translator_state.enter.weight")
    save_file(tensors, path)
    with pytest.raises(BadCheckpoint, match="audio2clip again"):
        load_ssv2a(tmp_path)
