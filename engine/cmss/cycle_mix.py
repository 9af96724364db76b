"""Cycle Mix: the Remixer's best sample is fed back into slot 0 (Sec. 3.3, Algorithm 1).

The Remixer's forward pass depends on nothing but slot 0 from one iteration to the next, so it is
run again only when slot 0 changed; an iteration costs one batched draw and one scoring. The mean
of K draws of a normal is one draw of variance sigma^2 / K, and the order of slots does not matter
to Efficient Attention, so neither draws nor shuffles are looped over. Identical padding slots are
one token with a count.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor
from torch.nn.functional import normalize

from engine.cmss.gaussian import Gaussian
from engine.cmss.model import SSV2A
from engine.steps import StepCallback, no_steps
from osc_bridge.errors import BadCheckpoint, OutOfRange

Score = Literal["mean", "std"]
ScoreFunction = Callable[[Tensor], Tensor]
"""(N, clap_dim) of unit length -> (N,), higher is better."""

MAX_ITERATIONS = 65_536
MAX_SAMPLES = 4096
PUBLISHED_EPSILON = 1e-6
"""Added to the product of lengths in the published cosine similarity."""


@dataclass(frozen=True)
class CycleMixSettings:
    """T ``iterations`` of N ``samples``, each the mean of ``draws`` reparameterised draws.

    ``score``: ``mean`` is Algorithm 1, with T rounds. ``std`` is the published code's choice,
    with T + 1 rounds, so that 0 iterations mean no feedback. 64 each is what the authors used.
    """

    iterations: int = 64
    samples: int = 64
    draws: int = 64
    score: Score = "mean"

    def __post_init__(self) -> None:
        if self.score not in ("mean", "std"):
            raise OutOfRange(f"Cycle Mix score {self.score!r}: use 'mean' or 'std'.")
        fewest = 0 if self.score == "std" else 1
        _check_count("iterations", self.iterations, fewest, MAX_ITERATIONS)
        _check_count("samples", self.samples, 1, MAX_SAMPLES)
        _check_count("draws", self.draws, 1, MAX_SAMPLES)

    @property
    def rounds(self) -> int:
        """How often candidates are drawn and scored."""
        return self.iterations + (self.score == "std")


def _check_count(name: str, value: int, low: int, high: int) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise OutOfRange(
            f"Cycle Mix {name} = {value!r}; allowed are whole numbers from {low} to {high}: "
            "64 is a good value."
        )


@dataclass(frozen=True, eq=False)
class RemixTokens:
    """One scene before the Remixer; row 0 is slot 0, equal slots may share a row.

    ``manifold`` (S, manifold_dim), ``clips`` (S, clip_dim), ``counts`` (S,): how many slots
    each row stands for. ``counts[0]`` is 1.
    """

    manifold: Tensor
    clips: Tensor
    counts: Tensor


@dataclass(frozen=True, eq=False)
class MixResult:
    """``a_mix`` (clap_dim,) of unit length and the score that chose it.

    ``score`` is the weighted mean cosine similarity (``mean``) or the standard deviation of the
    similarities over all slots (``std``).
    """

    a_mix: Tensor
    score: float


@torch.no_grad()
def cycle_mix(
    model: SSV2A,
    tokens: RemixTokens,
    score: ScoreFunction,
    settings: CycleMixSettings,
    generator: torch.Generator | None = None,
    on_step: StepCallback = no_steps,
) -> tuple[Tensor, float]:
    """The candidate with the highest score of all rounds, (clap_dim,), and that score.

    The first round always gives one, whereas Algorithm 1 has none until a score exceeds 0. From
    the second round on slot 0 holds phi(best so far): its mean for ``mean`` (Algorithm 1 samples
    psi alone), a fresh sample every round for ``std`` (as published). The CLIP part of slot 0
    stays: the whole frame, or zero as in Algorithm 1 where there is none. ``on_step`` is called
    after each round and may raise Cancelled.
    """
    assert not model.training, "Cycle Mix wants a model in evaluation mode"
    manifold = tokens.manifold.clone()
    remix = _remix(model, manifold, tokens)
    resample = settings.score == "std"
    best_score, feedback = float("-inf"), None
    for step in range(settings.rounds):
        candidates = normalize(remix.samples(settings.samples, generator, settings.draws), dim=-1)
        scores = score(candidates)
        top = int(scores.argmax())
        improved = float(scores[top]) > best_score
        if improved:
            best, best_score = candidates[top], float(scores[top])
            feedback = model.clap_projector(best)
        elif feedback is None:
            raise BadCheckpoint(
                "The Remixer gives NaN or infinity, no candidate has a finite score: the weights "
                "are damaged, get the pack again."
            )
        if (improved or resample) and step + 1 < settings.rounds:
            drawn = feedback.sample(generator, settings.draws) if resample else feedback.mu
            manifold[0] = drawn
            remix = _remix(model, manifold, tokens)
        on_step(step + 1, settings.rounds)
    return best, best_score


def _remix(model: SSV2A, manifold: Tensor, tokens: RemixTokens) -> Gaussian:
    """psi of one scene: Gaussian over (clap_dim,)."""
    mu, log_var = model.remixer(manifold[None], tokens.clips[None], tokens.counts)
    return Gaussian(mu[0], log_var[0])


def mean_score(semantics: Tensor, weights: Tensor) -> ScoreFunction:
    """Algorithm 1: the mean cosine similarity to a_src, weighted by the sources' weights.

    ``semantics`` (S, clap_dim) of unit length, ``weights`` (S,) with a positive sum. The mean of
    cosines with unit vectors is one product with their weighted mean.
    """
    direction = (weights / weights.sum()) @ semantics

    def score(candidates: Tensor) -> Tensor:
        return candidates @ direction

    return score


def std_score(
    semantics: Gaussian, counts: Tensor, generator: torch.Generator | None, draws: int
) -> ScoreFunction:
    """The published score: minus the standard deviation of the similarities over all slots.

    ``semantics`` is chi of every row but slot 0, sampled anew at each call, (S - 1, clap_dim);
    ``counts`` (S,) of all rows. Slot 0 enters as similarity 0, padding slots enter in full.
    """
    degrees = float(counts.sum()) - 1.0

    def score(candidates: Tensor) -> Tensor:
        targets = normalize(semantics.sample(generator, draws), dim=-1)
        lengths = candidates.norm(dim=-1, keepdim=True) * targets.norm(dim=-1)
        similar = candidates @ targets.T / (lengths + PUBLISHED_EPSILON)
        similar = torch.nn.functional.pad(similar, (1, 0))
        mean = (similar @ counts / (degrees + 1.0)).unsqueeze(-1)
        return -((similar - mean).square() @ counts / degrees).sqrt()

    return score


def published_tokens(
    model: SSV2A,
    clips: Tensor,
    fixed: Tensor | None,
    counts: Tensor,
    generator: torch.Generator | None,
    draws: int,
) -> RemixTokens:
    """Rows as the published code fills them.

    ``clips`` (S, clip_dim), zero in rows without a picture; ``fixed`` (S, manifold_dim), the
    projected audio, fills those rows; without any audio they hold a sample of v(0). Padding
    slots that share a row share its draw.
    """
    manifold = model.clip_projector(clips).sample(generator, draws)
    if fixed is not None:
        manifold = torch.where(clips.any(dim=-1, keepdim=True), manifold, fixed)
    return RemixTokens(manifold, clips, counts)


@torch.no_grad()
def published_cycle_mix(
    model: SSV2A,
    rows: tuple[Tensor, Tensor | None, Tensor],
    settings: CycleMixSettings,
    generator: torch.Generator | None = None,
    on_step: StepCallback = no_steps,
) -> MixResult:
    """Cycle Mix of the published code (score ``std``) on ``rows`` = clips, fixed, counts."""
    clips, fixed, counts = rows
    tokens = published_tokens(model, clips, fixed, counts, generator, settings.draws)
    semantics = model.reconstructor(tokens.manifold[1:])
    score = std_score(semantics, counts, generator, settings.draws)
    a_mix, best = cycle_mix(model, tokens, score, settings, generator, on_step)
    return MixResult(a_mix, -best)
