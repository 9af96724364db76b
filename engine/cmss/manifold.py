"""The cross-modal sound source manifold: projectors v and phi, reconstructor chi (Sec. 3.2)."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from engine.cmss.config import SSV2AConfig, TowerConfig
from engine.cmss.gaussian import Gaussian
from engine.cmss.layers import MLP

INITIAL_LOGIT_SCALE = math.log(1.0 / 0.07)
"""Log of CLIP's usual starting temperature, tau of Eq. 3."""


class VariationalTower(nn.Module):
    """An input projection, a residual MLP, and heads for mean and log-variance.

    (..., in_dim) -> Gaussian over (..., out_dim). The heads read the MLP's last width.
    """

    def __init__(self, in_dim: int, out_dim: int, config: TowerConfig, bias: bool) -> None:
        super().__init__()
        self.model = nn.Sequential(
            nn.Linear(in_dim, config.layers[0], bias=bias),
            MLP(config.layers, config.dropout, config.resnet),
        )
        self.out_mu = nn.Linear(config.layers[-1], out_dim)
        self.out_sigma = nn.Linear(config.layers[-1], out_dim)

    def forward(self, x: Tensor) -> Gaussian:
        hidden = self.model(x)
        return Gaussian(self.out_mu(hidden), self.out_sigma(hidden))


class Manifold(nn.Module):
    """Both projectors (Eq. 2) and the learned temperatures of the contrastive loss (Eq. 3)."""

    def __init__(self, config: SSV2AConfig) -> None:
        super().__init__()
        dim, tower = config.manifold_dim, config.manifold
        self.clip_encoder = VariationalTower(config.clip_dim, dim, tower, bias=False)
        self.clap_encoder = VariationalTower(config.clap_dim, dim, tower, bias=False)
        self.logit_scale = nn.Parameter(torch.tensor(INITIAL_LOGIT_SCALE))
        self.self_logit_scale = nn.Parameter(torch.tensor(INITIAL_LOGIT_SCALE))


def build_reconstructor(config: SSV2AConfig) -> VariationalTower:
    """``chi``: (..., manifold_dim) -> Gaussian over (..., clap_dim), before normalising."""
    return VariationalTower(config.manifold_dim, config.clap_dim, config.generator, bias=True)
