from __future__ import annotations

import dataclasses

import pytest
import torch

from engine.cmss import CycleMixSettings, SSV2AConfig
from engine.cmss.bench import CycleMixBench, released_config, run_cycle_mix_bench
from engine.cmss.model import SSV2A


def test_the_released_size_has_its_parameters() -> None:
    with torch.device("meta"):
        model = SSV2A(released_config())
    assert sum(p.numel() for p in model.parameters()) == pytest.approx(82.3e6, abs=5e4)


def test_the_benchmark_says_what_it_timed(model: SSV2A) -> None:
    config: SSV2AConfig = model.config
    settings = CycleMixSettings(iterations=4, samples=3, draws=2)
    steps: list[int] = []
    result = run_cycle_mix_bench(
        config, settings, sources=3, timed_draws=2, on_step=lambda step, of: steps.append(step)
    )
    assert steps == [1, 2, 3, 4]
    assert isinstance(result, CycleMixBench)
    assert min(result.fast_s, result.plain_s, result.published_s) > 0.0
    assert result.ratio == result.plain_s / result.fast_s
    assert "2 draws timed, the rest extrapolated" in result.summary()
    assert result.to_dict().keys() >= {f.name for f in dataclasses.fields(result)}
