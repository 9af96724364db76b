"""Precision and compilation: defaults by device, and what may be asked for."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from engine.config import DEVICES
from engine.models.options import AUTO, DEFAULTS, PRECISIONS, Options, Precision, options_for
from engine.models.sizes import random_parts, tiny_sizes
from engine.steps import no_steps
from engine.synthesis.latent_flow import LatentFlowDecoder
from engine.synthesis.precision import prepared
from osc_bridge.errors import OutOfRange


@pytest.mark.parametrize("device", DEVICES)
def test_every_device_has_defaults(device: str) -> None:
    assert options_for(device) == options_for(device, AUTO) == DEFAULTS[device]
    for precision in PRECISIONS:
        assert options_for(device, precision).precision == precision
    assert options_for(device, compiled=True).compiled


@pytest.mark.parametrize("precision", ["", "float64", "fp8", "x" * 1000])
def test_an_unknown_precision_lists_those_there_are(precision: str) -> None:
    with pytest.raises(OutOfRange, match="auto, fp32, bf16, fp16") as caught:
        options_for("cpu", precision)
    assert len(str(caught.value)) < 300


def decoded(options: Options, batch: int = 2) -> np.ndarray:
    parts = random_parts(tiny_sizes(), seed=1)
    decoder = LatentFlowDecoder(parts.generator, parts.codec, torch.device("cpu"), options)
    a = torch.nn.functional.normalize(torch.ones(32), dim=0)
    return decoder.decode(a, 0.5, 3, "preview", no_steps, batch)


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("batch", [1, 2])
def test_every_precision_sounds_and_repeats(precision: Precision, batch: int) -> None:
    wave = decoded(Options(precision), batch)
    assert wave.dtype == np.float32
    assert np.isfinite(wave).all()
    assert wave.any()
    assert wave.tobytes() == decoded(Options(precision), batch).tobytes()


def test_a_smaller_precision_is_another_sound() -> None:
    plain = decoded(Options())
    assert decoded(Options("bf16")).tobytes() != plain.tobytes()


def test_weights_stay_float32_whatever_is_computed_in() -> None:
    parts = random_parts(tiny_sizes(), seed=1)
    network = prepared(parts.generator, Options("fp16"))
    assert network is parts.generator
    assert {weight.dtype for weight in parts.generator.parameters()} == {torch.float32}


def test_compiling_is_asked_of_torch_once_for_all_lengths(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[dict[str, object]] = []

    def compile_(network: torch.nn.Module, **given: object) -> torch.nn.Module:
        asked.append(given)
        return network

    monkeypatch.setattr(torch, "compile", compile_)
    plain = decoded(Options())
    assert decoded(Options(compiled=True)).tobytes() == plain.tobytes()
    assert asked == [{"dynamic": True}]
