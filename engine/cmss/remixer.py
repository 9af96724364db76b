"""The Sound Source Remixer psi: tokens of all sources -> one audio embedding (Sec. 3.3)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from engine.cmss.config import SSV2AConfig
from engine.cmss.gaussian import Gaussian
from engine.cmss.layers import MLP, AttentionStack

LEARNED_TOKENS = 2
"""In front of the sources: the first is read for the mean, the second for the log-variance."""


class TokenHeads(nn.Module):
    """What the Remixer and Temporal Aggregation share: two learned tokens and their heads.

    Not used by itself: a subclass gives the tokens and the attention between them.
    """

    def __init__(self, embed_dim: int, out_dim: int, dropout: float) -> None:
        super().__init__()
        # drawn on the CPU always: to draw on the meta device, torch loads sympy for half a second
        self.pred_token = nn.Parameter(torch.randn(LEARNED_TOKENS, embed_dim, device="cpu"))
        self.head_mu = MLP((embed_dim, embed_dim), dropout)
        self.head_sigma = MLP((embed_dim, embed_dim), dropout)
        self.out_mu = nn.Linear(embed_dim, out_dim)
        self.out_sigma = nn.Linear(embed_dim, out_dim)

    def prepend(self, x: Tensor) -> Tensor:
        """(B, T, D) -> (B, 2 + T, D)."""
        return torch.cat([self.pred_token.expand(len(x), -1, -1), x], dim=1)

    def read(self, x: Tensor) -> Gaussian:
        """Tokens (B, >= 2, D) -> Gaussian over (B, out_dim)."""
        mu = self.out_mu(self.head_mu(x[:, 0]))
        return Gaussian(mu, self.out_sigma(self.head_sigma(x[:, 1])))


class Styler(TokenHeads):
    """The attention network of the Remixer, without token dropout."""

    def __init__(self, config: SSV2AConfig) -> None:
        styler = config.remixer.styler
        super().__init__(styler.embed_dim, config.clap_dim, styler.dropout)
        self.in_proj = nn.Linear(config.manifold_dim + config.clip_dim, styler.embed_dim)
        self.style_encoder = AttentionStack(
            styler.num_layers, styler.embed_dim, styler.hidden_dim, styler.nhead, styler.dropout
        )

    def forward(self, src: Tensor, src_clips: Tensor, counts: Tensor | None = None) -> Gaussian:
        x = self.prepend(self.in_proj(torch.cat([src, src_clips], dim=-1)))
        if counts is not None:
            counts = torch.cat([counts.new_ones(LEARNED_TOKENS), counts])
        return self.read(self.style_encoder(x, counts, LEARNED_TOKENS))


class Remixer(nn.Module):
    """psi(x_1 ... x_M) of Eq. 8, x_m = concat(e_m, v_m); v_m = 0 for audio sources."""

    def __init__(self, config: SSV2AConfig) -> None:
        super().__init__()
        self.token_dropout = config.remixer.cfg
        self.styler = Styler(config)

    def forward(self, src: Tensor, src_clips: Tensor, counts: Tensor | None = None) -> Gaussian:
        """Manifold tokens (B, S, manifold_dim) and CLIP tokens (B, S, clip_dim) -> (B, clap_dim).

        ``counts`` (S,) lets one token stand for many identical ones: S tokens with counts give
        what the written-out sequence gives. In training, whole tokens are zeroed with
        probability ``cfg``, manifold and CLIP parts each by itself.
        """
        if self.training:
            src = _drop_tokens(src, self.token_dropout)
            src_clips = _drop_tokens(src_clips, self.token_dropout)
        gaussian: Gaussian = self.styler(src, src_clips, counts)
        return gaussian


def _drop_tokens(x: Tensor, probability: float) -> Tensor:
    """Zero some of the S positions of (B, S, D), the same ones throughout the batch."""
    kept = torch.rand(x.shape[-2], 1, device=x.device) >= probability
    return x * kept
