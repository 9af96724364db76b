"""What the generator computes in, and whether torch compiles it; the same code on every device."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import cast

import torch
from torch import Tensor, nn

from engine.models.options import Options, Precision

Network = Callable[..., Tensor]

_TYPES: Mapping[Precision, torch.dtype] = {"bf16": torch.bfloat16, "fp16": torch.float16}


def computing_in(device: torch.device, precision: Precision) -> AbstractContextManager[object]:
    """Return a block in which products are computed in ``precision``; weights stay float32."""
    if precision == "fp32":
        return nullcontext()
    return torch.autocast(device.type, dtype=_TYPES[precision])


def prepared(network: nn.Module, options: Options) -> Network:
    """Return ``network`` as it shall be called; one compilation serves sounds of any length."""
    if not options.compiled:
        return network
    return cast("Network", torch.compile(network, dynamic=True))
