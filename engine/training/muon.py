"""Muon as torch has it, but orthogonalising in float32 and all matrices of one shape at once.

torch's own computes in bfloat16, which processors without units for it emulate: measured on one
with AVX-512, its products run at 30 GFLOPS against 110 in float32, and took a third of a step.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

Coefficients = tuple[float, float, float]


class Muon(torch.optim.Muon):
    """See :class:`torch.optim.Muon`; the same options, state and update."""

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float | None:  # type: ignore[override]
        """Move the matrices once; return what ``closure`` gives."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            alike: dict[torch.Size, list[Tensor]] = defaultdict(list)
            for matrix in group["params"]:
                if matrix.grad is not None:
                    alike[matrix.shape].append(matrix)
            for matrices in alike.values():
                self._move(matrices, group)
        return loss

    def _move(self, matrices: list[Tensor], group: dict[str, Any]) -> None:
        """Move matrices of one shape."""
        wanted = torch.stack([self._smoothed(matrix, group) for matrix in matrices])
        update = orthogonal(wanted, group["ns_coefficients"], group["ns_steps"], group["eps"])
        rows, columns = matrices[0].shape
        rate = group["lr"] * max(1.0, rows / columns) ** 0.5
        for matrix, part in zip(matrices, update, strict=True):
            matrix.mul_(1 - group["lr"] * group["weight_decay"])
            matrix.add_(part, alpha=-rate)

    def _smoothed(self, matrix: Tensor, group: dict[str, Any]) -> Tensor:
        """Return the gradient with Nesterov's momentum."""
        assert matrix.grad is not None
        state = self.state[matrix]
        if "momentum_buffer" not in state:
            state["momentum_buffer"] = torch.zeros_like(matrix.grad)
        buffer: Tensor = state["momentum_buffer"]
        buffer.lerp_(matrix.grad, 1 - group["momentum"])
        return matrix.grad.lerp(buffer, group["momentum"]).float()


def orthogonal(matrices: Tensor, coefficients: Coefficients, steps: int, eps: float) -> Tensor:
    """Return matrices (K, rows, columns) with their singular values brought near one.

    By ``steps`` iterations of Newton and Schulz with the quintic's three ``coefficients``.
    """
    a, b, c = coefficients
    is_tall = matrices.shape[1] > matrices.shape[2]
    x = matrices.transpose(1, 2) if is_tall else matrices
    x = x / x.norm(dim=(1, 2), keepdim=True).clamp(min=eps)
    for _ in range(steps):
        gram = x @ x.transpose(1, 2)
        x = a * x + (b * gram + c * (gram @ gram)) @ x
    orthogonalised: Tensor = x.transpose(1, 2) if is_tall else x
    return orthogonalised
