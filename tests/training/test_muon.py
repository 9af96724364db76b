"""Our Muon against torch's."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from engine.training.muon import Muon, orthogonal

COEFFICIENTS = (3.4445, -4.7750, 2.0315)
SHAPES = ((8, 24), (24, 8), (8, 24), (6, 6))


def weights() -> list[nn.Parameter]:
    source = torch.Generator().manual_seed(1)
    return [nn.Parameter(torch.randn(shape, generator=source)) for shape in SHAPES]


def taught(optimizer: torch.optim.Optimizer, matrices: list[nn.Parameter], steps: int) -> None:
    source = torch.Generator().manual_seed(2)
    for _ in range(steps):
        for matrix in matrices:
            matrix.grad = torch.randn(matrix.shape, generator=source)
        optimizer.step()


def test_it_moves_as_torch_does_but_for_the_rounding_of_bfloat16() -> None:
    ours, theirs, start = weights(), weights(), weights()
    options = {"lr": 0.02, "weight_decay": 0.01, "momentum": 0.95, "ns_steps": 4}
    taught(Muon(ours, **options), ours, 5)  # type: ignore[arg-type]
    taught(torch.optim.Muon(theirs, **options), theirs, 5)  # type: ignore[arg-type]
    for mine, other, before in zip(ours, theirs, start, strict=True):
        moved = (other - before).norm()
        assert (mine - other).norm() < 0.03 * moved


def test_it_goes_on_from_the_state_of_torchs() -> None:
    matrices = weights()
    theirs = torch.optim.Muon(matrices, lr=0.02)
    taught(theirs, matrices, 2)
    ours = Muon(matrices, lr=0.5)
    ours.load_state_dict(theirs.state_dict())
    kept: Tensor = ours.state[matrices[0]]["momentum_buffer"]
    assert torch.equal(kept, theirs.state[matrices[0]]["momentum_buffer"])
    assert ours.param_groups[0]["lr"] == 0.02


def test_matrices_without_gradient_stay() -> None:
    matrices = weights()
    before = matrices[0].detach().clone()
    Muon(matrices, lr=0.1).step()
    assert torch.equal(matrices[0], before)


def test_singular_values_come_near_one() -> None:
    matrices = torch.randn(3, 10, 30, generator=torch.Generator().manual_seed(3))
    values = torch.linalg.svdvals(orthogonal(matrices, COEFFICIENTS, 5, 1e-7))
    assert float(values.min()) > 0.5
    assert float(values.max()) < 1.5
