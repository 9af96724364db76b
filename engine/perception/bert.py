"""A BERT encoder in plain torch, with the parameter names of the published checkpoints.

Importing the same network from transformers costs about four seconds at start; this costs none.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional


@dataclass(frozen=True)
class BertConfig:
    """Sizes of a BERT encoder; the names are those of its published ``config.json``."""

    vocab_size: int
    hidden_size: int
    num_hidden_layers: int
    num_attention_heads: int
    intermediate_size: int
    max_position_embeddings: int
    type_vocab_size: int
    layer_norm_eps: float


class Embeddings(nn.Module):
    """Sum of word, position and segment embeddings, normalised."""

    def __init__(self, config: BertConfig) -> None:
        super().__init__()
        width = config.hidden_size
        self.word_embeddings = nn.Embedding(config.vocab_size, width)
        self.position_embeddings = nn.Embedding(config.max_position_embeddings, width)
        self.token_type_embeddings = nn.Embedding(config.type_vocab_size, width)
        self.LayerNorm = nn.LayerNorm(width, eps=config.layer_norm_eps)

    def forward(self, ids: Tensor) -> Tensor:
        """Map token ids (B, T) to (B, T, D)."""
        positions = self.position_embeddings.weight[: ids.shape[1]]
        segment = self.token_type_embeddings.weight[0]
        summed: Tensor = self.LayerNorm(self.word_embeddings(ids) + positions + segment)
        return summed


class SelfAttention(nn.Module):
    """Multi-head scaled dot-product attention."""

    def __init__(self, config: BertConfig) -> None:
        super().__init__()
        self.heads = config.num_attention_heads
        self.query = nn.Linear(config.hidden_size, config.hidden_size)
        self.key = nn.Linear(config.hidden_size, config.hidden_size)
        self.value = nn.Linear(config.hidden_size, config.hidden_size)

    def _split(self, x: Tensor) -> Tensor:
        batch, length, width = x.shape
        return x.view(batch, length, self.heads, width // self.heads).transpose(1, 2)

    def forward(self, x: Tensor, keep: Tensor) -> Tensor:
        """Attend over (B, T, D) where ``keep`` (B, 1, 1, T) is true."""
        q, k, v = self._split(self.query(x)), self._split(self.key(x)), self._split(self.value(x))
        mixed = functional.scaled_dot_product_attention(q, k, v, attn_mask=keep)
        return mixed.transpose(1, 2).flatten(2)


class AddAndNorm(nn.Module):
    """Linear map, residual sum, layer norm."""

    def __init__(self, width_in: int, config: BertConfig) -> None:
        super().__init__()
        self.dense = nn.Linear(width_in, config.hidden_size)
        self.LayerNorm = nn.LayerNorm(config.hidden_size, eps=config.layer_norm_eps)

    def forward(self, x: Tensor, residual: Tensor) -> Tensor:
        """Map (B, T, W) and its residual (B, T, D) to (B, T, D)."""
        normed: Tensor = self.LayerNorm(self.dense(x) + residual)
        return normed


class Layer(nn.Module):
    """Attention and feed-forward block (post-norm)."""

    def __init__(self, config: BertConfig) -> None:
        super().__init__()
        self.attention = nn.ModuleDict(
            {"self": SelfAttention(config), "output": AddAndNorm(config.hidden_size, config)}
        )
        self.intermediate = nn.ModuleDict(
            {"dense": nn.Linear(config.hidden_size, config.intermediate_size)}
        )
        self.output = AddAndNorm(config.intermediate_size, config)

    def forward(self, x: Tensor, keep: Tensor) -> Tensor:
        """Map (B, T, D) to (B, T, D)."""
        x = self.attention["output"](self.attention["self"](x, keep), x)
        inner = functional.gelu(self.intermediate["dense"](x))
        out: Tensor = self.output(inner, x)
        return out


class Stack(nn.Module):
    """The layers, one after the other."""

    def __init__(self, config: BertConfig) -> None:
        super().__init__()
        self.layer = nn.ModuleList(Layer(config) for _ in range(config.num_hidden_layers))

    def forward(self, x: Tensor, keep: Tensor) -> Tensor:
        """Map (B, T, D) to (B, T, D)."""
        for layer in self.layer:
            x = layer(x, keep)
        return x


class Bert(nn.Module):
    """Bidirectional text encoder (Devlin et al., 2019), without the pooler."""

    def __init__(self, config: BertConfig) -> None:
        super().__init__()
        self.embeddings = Embeddings(config)
        self.encoder = Stack(config)

    def forward(self, ids: Tensor, keep: Tensor) -> Tensor:
        """Map token ids (B, T) with a mask ``keep`` (B, T) of real tokens to (B, T, D)."""
        hidden: Tensor = self.encoder(self.embeddings(ids), keep.to(torch.bool)[:, None, None, :])
        return hidden
