"""The diagonal normal distribution that every SSV2A module ends in."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor


def standard_normal(shape: torch.Size, like: Tensor, generator: torch.Generator | None) -> Tensor:
    """Noise of ``shape`` with the type and device of ``like``.

    Drawn on the generator's own device, so that one seed gives one noise on every device.
    """
    device = like.device if generator is None else generator.device
    noise = torch.randn(shape, generator=generator, device=device, dtype=like.dtype)
    return noise.to(like.device)


class Gaussian(NamedTuple):
    """Independent normals: ``mu`` and ``log_var``, both (..., D); std = exp(log_var / 2)."""

    mu: Tensor
    log_var: Tensor

    def sample(self, generator: torch.Generator | None = None, draws: int = 1) -> Tensor:
        """One reparameterised sample (..., D), differentiable in both parameters.

        With ``draws`` > 1 it is the mean of that many draws, taken as a single draw of
        variance sigma^2 / draws, which has the same distribution.
        """
        noise = standard_normal(self.mu.shape, self.mu, generator)
        return self.mu + noise * self._std(draws)

    def samples(self, count: int, generator: torch.Generator | None, draws: int = 1) -> Tensor:
        """``count`` independent samples in one batch, (count, ..., D)."""
        shape = torch.Size((count, *self.mu.shape))
        return self.mu + standard_normal(shape, self.mu, generator) * self._std(draws)

    def kl(self) -> Tensor:
        """Kullback-Leibler divergence from N(0, 1), summed over D: (...,), in nats."""
        return 0.5 * (self.mu.square() + self.log_var.exp() - self.log_var - 1.0).sum(dim=-1)

    def _std(self, draws: int) -> Tensor:
        return torch.exp(0.5 * self.log_var) / math.sqrt(draws)
