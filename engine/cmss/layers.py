"""Building blocks of SSV2A: residual MLPs and Efficient Attention (paper A.2).

Attribute names are those of the published state dicts, so that its weights load by name.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn


class ResidualBlock(nn.Module):
    """Two normalised linear layers beside a linear shortcut: (..., A) -> (..., C)."""

    def __init__(self, widths: tuple[int, int, int], dropout: float) -> None:
        super().__init__()
        before, middle, after = widths
        self.mod = nn.Sequential(
            *_normalised(before, middle, dropout),
            nn.GELU(),
            *_normalised(middle, after, dropout),
        )
        self.proj = nn.Linear(before, after)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.proj(x) + self.mod(x)
        return y


def _normalised(before: int, after: int, dropout: float) -> list[nn.Module]:
    """Linear, LayerNorm and, unless its probability is 0, Dropout."""
    layers: list[nn.Module] = [nn.Linear(before, after), nn.LayerNorm(after)]
    return [*layers, nn.Dropout(dropout)] if dropout else layers


class MLP(nn.Module):
    """Widths ``layers[0] -> ... -> layers[-1]`` (paper Table 6), GELU after each step.

    ``residual`` joins the steps in pairs; where the list has an even length the last step
    stands alone.
    """

    def __init__(self, layers: Sequence[int], dropout: float, residual: bool = False) -> None:
        super().__init__()
        steps: list[nn.Module] = []
        first_lone = 2 * ((len(layers) - 1) // 2) if residual else 0
        for i in range(0, first_lone, 2):
            block = ResidualBlock((layers[i], layers[i + 1], layers[i + 2]), dropout)
            steps += [block, nn.GELU()]
        for i in range(first_lone, len(layers) - 1):
            steps += [*_normalised(layers[i], layers[i + 1], dropout), nn.GELU()]
        self.model = nn.Sequential(*steps)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.model(x)
        return y


class EfficientAttention(nn.Module):
    """Attention through one global map softmax(K)^T V, linear in the tokens (paper A.2.2).

    Queries and keys are softmaxed over the features of each head. A linear highway of the
    input is added. The order of tokens does not matter, and ``counts`` identical tokens weigh
    as much as one token taken ``counts`` times.
    """

    def __init__(self, embed_dim: int, nhead: int, dropout: float) -> None:
        super().__init__()
        self.nhead = nhead
        self.query = nn.Linear(embed_dim, embed_dim)
        self.key = nn.Linear(embed_dim, embed_dim)
        self.value = nn.Linear(embed_dim, embed_dim)
        self.dropout = nn.Dropout(dropout)
        self.norm = nn.LayerNorm(embed_dim)
        self.highway = nn.Linear(embed_dim, embed_dim)

    def forward(self, x: Tensor, counts: Tensor | None = None, keep: int | None = None) -> Tensor:
        """(B, T, D) -> (B, keep or T, D).

        ``counts`` (T,) says how often each token stands in the sequence; ``keep`` asks for the
        first tokens of the answer alone.
        """
        normed = self.norm(x)
        keys = self._heads(self.key(normed)).softmax(dim=-1)
        if counts is not None:
            keys = keys * counts.view(-1, 1, 1)
        values = self._heads(self.value(normed))
        context = self.dropout(torch.einsum("bthd,bthe->bhde", keys, values))
        queries = self._heads(self.query(normed[:, :keep])).softmax(dim=-1)
        mixed = torch.einsum("bthd,bhde->bthe", queries, context).flatten(start_dim=2)
        y: Tensor = self.highway(x[:, :keep]) + mixed
        return y

    def _heads(self, x: Tensor) -> Tensor:
        """(B, T, D) -> (B, T, heads, D / heads)."""
        return x.view(*x.shape[:-1], self.nhead, -1)


class FeedForward(nn.Module):
    """Width ``embed_dim -> hidden_dim -> embed_dim`` with a residual; starts as the identity."""

    def __init__(self, embed_dim: int, hidden_dim: int, dropout: float) -> None:
        super().__init__()
        self.linear1 = nn.Linear(embed_dim, hidden_dim)
        self.linear2 = nn.Linear(hidden_dim, embed_dim)
        nn.init.zeros_(self.linear2.weight)
        nn.init.zeros_(self.linear2.bias)
        self.dropout = nn.Dropout(dropout)
        self.norm = nn.LayerNorm(embed_dim)

    def forward(self, x: Tensor) -> Tensor:
        hidden = nn.functional.gelu(self.linear1(self.norm(x)))
        y: Tensor = x + self.linear2(self.dropout(hidden))
        return y


class AttentionLayer(nn.Module):
    """Efficient Attention, then the feed-forward block."""

    def __init__(self, embed_dim: int, hidden_dim: int, nhead: int, dropout: float) -> None:
        super().__init__()
        self.esa = EfficientAttention(embed_dim, nhead, dropout)
        self.ffn = FeedForward(embed_dim, hidden_dim, dropout)

    def forward(self, x: Tensor, counts: Tensor | None = None, keep: int | None = None) -> Tensor:
        y: Tensor = self.ffn(self.esa(x, counts, keep))
        return y


class AttentionStack(nn.Module):
    """``num_layers`` attention layers, of which the last computes only what is read."""

    def __init__(
        self, num_layers: int, embed_dim: int, hidden_dim: int, nhead: int, dropout: float
    ) -> None:
        super().__init__()
        layers = [AttentionLayer(embed_dim, hidden_dim, nhead, dropout) for _ in range(num_layers)]
        self.encoder = nn.ModuleList(layers)

    def forward(self, x: Tensor, counts: Tensor | None = None, keep: int | None = None) -> Tensor:
        """(B, T, D) -> (B, keep or T, D); ``counts`` and ``keep`` as in Efficient Attention."""
        last = len(self.encoder) - 1
        for i, layer in enumerate(self.encoder):
            x = layer(x, counts, keep if i == last else None)
        return x
