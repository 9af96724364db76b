"""audio2clip: an audio embedding -> where a picture of its source would lie (paper A.7.2).

With it a source that comes as sound has a second half in the Remixer's tokens, v of Eq. 8, where
the published model has zeros and hears such sources less.
"""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional

from engine.cmss.layers import MLP


class Translator(nn.Module):
    """(..., clap_dim) -> (..., clip_dim) of unit length."""

    def __init__(self, clap_dim: int, clip_dim: int, width: int, dropout: float = 0.1) -> None:
        super().__init__()
        self.enter = nn.Linear(clap_dim, width)
        self.body = MLP((width, width, width), dropout, residual=True)
        self.leave = nn.Linear(width, clip_dim)

    def forward(self, claps: Tensor) -> Tensor:
        return functional.normalize(self.leave(self.body(self.enter(claps))), dim=-1)
