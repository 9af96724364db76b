from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from engine.cmss import (
    SSV2A,
    GeneratorConfig,
    ManifoldConfig,
    RemixerConfig,
    SourceEmbedding,
    SSV2AConfig,
    StylerConfig,
    build_ssv2a,
)

FIXTURES = Path(__file__).parents[1] / "data" / "ssv2a"


@pytest.fixture(params=["small", "two_layers"])
def published(request: pytest.FixtureRequest) -> Path:
    """A folder of the published layout with numbers of the published code."""
    return FIXTURES / str(request.param)


def make_config(
    slot: int = 8,
    num_layers: int = 1,
    nhead: int = 4,
    exp_rate: int = 1,
    layers: tuple[int, ...] = (12, 14, 16, 16),
    dropout: float = 0.2,
    resnet: bool = True,
) -> SSV2AConfig:
    styler = StylerConfig(16, num_layers, nhead, dropout, exp_rate)
    return SSV2AConfig(
        clip_dim=10,
        clap_dim=18,
        manifold_dim=12,
        manifold=ManifoldConfig(layers, dropout, resnet),
        generator=GeneratorConfig(layers, dropout, resnet),
        remixer=RemixerConfig(styler, slot),
    )


def randomise(model: SSV2A) -> SSV2A:
    """Leave no weight at the zero or one that it starts from."""
    generator = torch.Generator().manual_seed(5)
    for parameter in model.parameters():
        noise = torch.randn(parameter.shape, generator=generator)
        parameter.data += 0.2 * noise
    return model.eval()


SIZES = [
    make_config(),
    make_config(slot=64, nhead=2, exp_rate=3),
    make_config(num_layers=3, layers=(12, 14, 16)),
    make_config(dropout=0.0, layers=(9,)),
    make_config(resnet=False, nhead=16),
]


@pytest.fixture
def model() -> SSV2A:
    torch.manual_seed(0)
    return randomise(build_ssv2a(make_config()))


@pytest.fixture
def full_slots_model() -> SSV2A:
    """As many slots as the published weights have: 64."""
    return randomise(build_ssv2a(make_config(slot=64)))


@pytest.fixture(params=range(len(SIZES)))
def any_model(request: pytest.FixtureRequest) -> SSV2A:
    """Models of several shapes: layers, heads, slots, widths, with and without dropout."""
    torch.manual_seed(0)
    return randomise(build_ssv2a(SIZES[request.param]))


@pytest.fixture
def make_sources() -> Callable[..., list[SourceEmbedding]]:
    """``make_sources(model, "vva")``: v for an image or text source, a for an audio source."""

    def make(model: SSV2A, kinds: str, seed: int = 3) -> list[SourceEmbedding]:
        generator = torch.Generator().manual_seed(seed)
        dims = {"v": model.config.clip_dim, "a": model.config.clap_dim}
        vectors = [torch.randn(dims[kind], generator=generator) for kind in kinds]
        return [
            SourceEmbedding("clip" if kind == "v" else "clap", vector / vector.norm())
            for kind, vector in zip(kinds, vectors, strict=True)
        ]

    return make


@pytest.fixture
def certain() -> Callable[[SSV2A], SSV2A]:
    """Take the variance away, so that sampling returns the mean."""

    def apply(model: SSV2A) -> SSV2A:
        towers = (model.clip_projector, model.clap_projector, model.reconstructor)
        for owner in (*towers, model.remixer.styler):
            torch.nn.init.zeros_(owner.out_sigma.weight)
            torch.nn.init.constant_(owner.out_sigma.bias, -80.0)
        return model

    return apply
