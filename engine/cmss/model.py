"""SSV2A's core: manifold, reconstructor, Remixer; some packs have aggregator and translator."""

from __future__ import annotations

from torch import nn

from engine.cmss.config import SSV2AConfig
from engine.cmss.manifold import Manifold, VariationalTower, build_reconstructor
from engine.cmss.remixer import Remixer
from engine.cmss.temporal import Aggregator
from engine.cmss.translator import Translator


class SSV2A(nn.Module):
    """The trained modules behind one configuration. Warm models are read-only.

    Registered under the published names (``manifold``, ``generator``, ``remixer``); the paper's
    names are properties.
    """

    def __init__(
        self,
        config: SSV2AConfig,
        aggregator: Aggregator | None = None,
        translator: Translator | None = None,
    ) -> None:
        super().__init__()
        self.config = config
        self.manifold = Manifold(config)
        self.generator = build_reconstructor(config)
        self.remixer = Remixer(config)
        self.aggregator = aggregator
        self.translator = translator

    @property
    def clip_projector(self) -> VariationalTower:
        """v: (..., clip_dim) -> Gaussian over (..., manifold_dim)."""
        return self.manifold.clip_encoder

    @property
    def clap_projector(self) -> VariationalTower:
        """phi: (..., clap_dim) -> Gaussian over (..., manifold_dim)."""
        return self.manifold.clap_encoder

    @property
    def reconstructor(self) -> VariationalTower:
        """chi: (..., manifold_dim) -> Gaussian over (..., clap_dim), not yet of unit length."""
        return self.generator

    @property
    def logit_scale(self) -> nn.Parameter:
        """Log temperature of the contrastive loss (Eq. 3), a scalar."""
        return self.manifold.logit_scale


def build_ssv2a(config: SSV2AConfig) -> SSV2A:
    """Random weights from torch's global generator; reads no file, chooses no device."""
    return SSV2A(config)
