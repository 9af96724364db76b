"""Samplers: pure functions from a velocity field and a seed to tokens, one callback a step."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from engine.steps import StepCallback

Velocity = Callable[[Tensor, Tensor, Tensor], Tensor]  # tokens, time, a -> velocity


@torch.inference_mode()
def euler_flow(
    velocity: Velocity,
    noise: Tensor,
    a: Tensor,
    steps: int,
    guidance: float,
    on_step: StepCallback,
    batch: int = 2,
) -> Tensor:
    """Integrate a rectified flow (Liu et al., 2023) from ``noise`` (1, N, dims) to tokens.

    ``a`` is (1, condition). Guidance (Ho and Salimans, 2022) needs the conditional and the
    unconditional velocity: in one batch of two or, with ``batch`` 1, one after the other.
    """
    tokens = noise
    both = torch.cat([a, torch.zeros_like(a)])
    conditions = [both[first : first + batch] for first in range(0, 2, batch)]
    for step in range(steps):
        velocities = [
            velocity(
                tokens.expand(len(part), -1, -1),
                torch.full((len(part),), step / steps, device=noise.device),
                part,
            )
            for part in conditions
        ]
        wanted, anything = torch.cat(velocities).chunk(2)
        tokens = tokens + (anything + guidance * (wanted - anything)) / steps
        on_step(step + 1, steps)
    return tokens
