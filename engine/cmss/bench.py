"""Cycle Mix against the plain loop, at the released size with random weights."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import normalize

from engine.cmss.config import (
    GeneratorConfig,
    ManifoldConfig,
    RemixerConfig,
    SSV2AConfig,
    StylerConfig,
)
from engine.cmss.cycle_mix import CycleMixSettings, Score
from engine.cmss.gaussian import Gaussian
from engine.cmss.mix import mix
from engine.cmss.model import SSV2A, build_ssv2a
from engine.cmss.sources import SourceEmbedding
from engine.steps import StepCallback, no_steps
from osc_bridge.errors import OutOfRange


def released_config() -> SSV2AConfig:
    """The size of the published weights, 82.3 million parameters."""
    return SSV2AConfig(
        clip_dim=768,
        clap_dim=512,
        manifold_dim=768,
        manifold=ManifoldConfig(layers=(768, 768, 1536, 1536, 3072, 3072)),
        generator=GeneratorConfig(layers=(768, 768, 896, 896, 1024, 1024, 2048, 2048)),
        remixer=RemixerConfig(StylerConfig(embed_dim=768)),
    )


@dataclass(frozen=True)
class CycleMixBench:
    """Seconds of one Cycle Mix, and of the plain loop extrapolated from a few timed steps.

    ``plain_s``: every draw runs the full model over all slots, ``timed_draws`` of them timed.
    ``published_s``: the published code's shape, one pass over all slots for each sample and a
    loop over draws behind it, ``timed_samples`` samples and one round timed.
    """

    parameters: int
    threads: int
    sources: int
    iterations: int
    samples: int
    draws: int
    score: Score
    fast_s: float
    plain_s: float
    timed_draws: int
    published_s: float
    timed_samples: int

    @property
    def ratio(self) -> float:
        """How many times faster than the plain loop."""
        return self.plain_s / self.fast_s

    @property
    def published_ratio(self) -> float:
        """How many times faster than a loop of the published code's shape."""
        return self.published_s / self.fast_s

    def summary(self) -> str:
        """Sentences for a terminal, with what was timed and what was extrapolated."""
        return (
            f"Cycle Mix, {self.parameters / 1e6:.1f} million parameters, {self.sources} sources, "
            f"{self.iterations} iterations x {self.samples} samples x {self.draws} draws, score "
            f"{self.score}, {self.threads} threads: {self.fast_s:.2f} s.\n"
            f"Plain loop, one pass over all slots for each draw: {self.plain_s:.0f} s "
            f"({self.timed_draws} draws timed, the rest extrapolated): {self.ratio:.0f} times.\n"
            f"Plain loop, one pass for each sample: {self.published_s:.0f} s "
            f"({self.timed_samples} samples and 1 round timed, the rest extrapolated): "
            f"{self.published_ratio:.0f} times."
        )

    def to_dict(self) -> dict[str, float | int | str]:
        """Fields and both ratios, for JSON."""
        ratios = {"ratio": self.ratio, "published_ratio": self.published_ratio}
        return {**dataclasses.asdict(self), **ratios}


def run_cycle_mix_bench(
    config: SSV2AConfig | None = None,
    settings: CycleMixSettings | None = None,
    sources: int = 6,
    timed_draws: int = 24,
    seed: int = 1,
    on_step: StepCallback = no_steps,
) -> CycleMixBench:
    """Time both on this machine, now; other work on it makes both slower.

    The model is built with random weights (the released size unless ``config`` is given), half of
    the sources are pictures and half sounds, and the fast path is run once to warm up.
    """
    if not timed_draws >= 1:
        raise OutOfRange(f"timed_draws = {timed_draws}; at least 1: time one draw or more.")
    config, settings = config or released_config(), settings or CycleMixSettings()
    torch.manual_seed(seed)
    model = build_ssv2a(config).eval()
    scene = _random_scene(config, sources)
    frame = normalize(torch.randn(config.clip_dim), dim=-1)
    generator = torch.Generator().manual_seed(seed)
    mix(model, scene, frame, dataclasses.replace(settings, iterations=2), generator)
    fast_s = _seconds(lambda: mix(model, scene, frame, settings, generator, on_step))
    plain_s, published_s, timed_samples = _plain_seconds(model, settings, timed_draws)
    return CycleMixBench(
        parameters=sum(p.numel() for p in model.parameters()),
        threads=torch.get_num_threads(),
        sources=sources,
        iterations=settings.iterations,
        samples=settings.samples,
        draws=settings.draws,
        score=settings.score,
        fast_s=fast_s,
        plain_s=plain_s,
        timed_draws=timed_draws,
        published_s=published_s,
        timed_samples=timed_samples,
    )


def _random_scene(config: SSV2AConfig, count: int) -> list[SourceEmbedding]:
    pictures = [normalize(torch.randn(config.clip_dim), dim=-1) for _ in range((count + 1) // 2)]
    sounds = [normalize(torch.randn(config.clap_dim), dim=-1) for _ in range(count // 2)]
    return [SourceEmbedding("clip", v) for v in pictures] + [
        SourceEmbedding("clap", a) for a in sounds
    ]


@torch.no_grad()
def _plain_seconds(
    model: SSV2A, settings: CycleMixSettings, timed_draws: int
) -> tuple[float, float, int]:
    """Extrapolated seconds of a pass a draw, of a pass a sample, and samples timed for these."""
    config = model.config
    manifold = torch.randn(config.remixer.slot, config.manifold_dim)
    clips = torch.randn(config.remixer.slot, config.clip_dim)
    plain_sample(model, manifold, clips, 1)
    per_draw_s = _seconds(lambda: plain_sample(model, manifold, clips, timed_draws)) / timed_draws
    timed_samples = max(1, timed_draws // 2)

    def published_samples() -> None:
        for _ in range(timed_samples):
            published_sample(model, manifold, clips, settings.draws)

    per_sample_s = _seconds(published_samples) / timed_samples
    round_s = _seconds(lambda: plain_round(model, manifold, settings.draws))
    candidates = settings.rounds * settings.samples
    plain_s = settings.rounds * round_s + candidates * settings.draws * per_draw_s
    return plain_s, settings.rounds * round_s + candidates * per_sample_s, timed_samples


def plain_sample(model: SSV2A, manifold: Tensor, clips: Tensor, draws: int) -> Tensor:
    """One candidate (clap_dim,): the full model over shuffled slots for every single draw."""
    total = torch.zeros(model.config.clap_dim)
    for _ in range(draws):
        total += published_sample(model, manifold, clips, 1, unit=False) / draws
    return normalize(total, dim=-1)


def published_sample(
    model: SSV2A, manifold: Tensor, clips: Tensor, draws: int, unit: bool = True
) -> Tensor:
    """One candidate (clap_dim,): one pass over shuffled slots, then draws one by one."""
    order = torch.randperm(len(manifold))
    mixed = model.remixer(manifold[order].unsqueeze(0), clips[order].unsqueeze(0))
    total = draw_by_draw(mixed, draws)[0]
    return normalize(total, dim=-1) if unit else total


def plain_round(model: SSV2A, manifold: Tensor, draws: int) -> Tensor:
    """What a round does besides its candidates: chi of every slot, phi of the best."""
    semantics = normalize(draw_by_draw(model.reconstructor(manifold), draws), dim=-1)
    return draw_by_draw(model.clap_projector(semantics[:1]), draws)


def draw_by_draw(gaussian: Gaussian, draws: int) -> Tensor:
    """The mean of ``draws`` samples, added up in a loop."""
    total = torch.zeros_like(gaussian.mu)
    for _ in range(draws):
        total += gaussian.sample() / draws
    return total


def _seconds(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started
