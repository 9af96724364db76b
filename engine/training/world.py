"""The processes that train together: one, or as many as ``torchrun`` started, each with its device.

Every process draws the whole batch from the same seed and computes its own rows of it, noise and
dropout included. So the loss curve does not depend on how many processes share the work.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from typing import Any, Literal

import torch
import torch.distributed as dist
from torch import Tensor
from torch.nn import functional
from torch.overrides import TorchFunctionMode

from engine.cmss import Gaussian
from osc_bridge.errors import DeviceUnavailable, OutOfRange

Precision = Literal["auto", "float32", "bf16"]
Parallel = Literal["ddp", "fsdp"]
"""What several processes hold between steps: each of them all, or each a shard (fully_shard)."""


@dataclass(frozen=True)
class World:
    """This process among ``size``, its device, how it shares and whether in bfloat16."""

    rank: int = 0
    size: int = 1
    device: torch.device = field(default_factory=lambda: torch.device("cpu"))
    bf16: bool = False
    parallel: Parallel = "ddp"

    @property
    def first(self) -> bool:
        """Whether this process writes files and validates for all."""
        return self.rank == 0

    def rows(self, count: int) -> slice:
        """Return which of ``count`` rows of a batch are this process's own."""
        if count % self.size:
            raise OutOfRange(
                f"A batch of {count} cannot be shared out among {self.size} processes; allowed "
                f"are multiples of {self.size}: change batch in the configuration."
            )
        part = count // self.size
        return slice(self.rank * part, (self.rank + 1) * part)

    def mine(self, whole: Tensor) -> Tensor:
        """Return this process's rows of a whole batch (B, ...), on its device."""
        return whole[self.rows(len(whole))].to(self.device)

    def gather(self, rows: Tensor) -> Tensor:
        """Return the rows of all processes (size * B, ...), differentiable in each."""
        if self.size == 1:
            return rows
        gathered: Tensor = _Gather.apply(rows, self)  # type: ignore[no-untyped-call]
        return gathered

    def sample(self, gaussian: Gaussian, generator: torch.Generator) -> Tensor:
        """Return a reparameterised sample of this process's rows (B, D) of the whole batch."""
        rows, *rest = gaussian.mu.shape
        noise = torch.randn((rows * self.size, *rest), generator=generator)
        return gaussian.mu + self.mine(noise) * torch.exp(0.5 * gaussian.log_var)

    def mean(self, value: Tensor) -> float:
        """Return the mean of a number over all processes."""
        value = value.detach()
        if self.size > 1:
            value = value.clone()
            dist.all_reduce(value)
        return float(value) / self.size

    def most(self, value: int) -> int:
        """Return the greatest of all processes' values."""
        if self.size == 1:
            return value
        told = torch.tensor([value], device=self.device)
        dist.all_reduce(told, dist.ReduceOp.MAX)
        return int(told)

    def agreed(self, value: float) -> float:
        """Return the first process's ``value`` in all of them."""
        if self.size == 1:
            return value
        told = torch.tensor([value], dtype=torch.float64, device=self.device)
        dist.broadcast(told, src=0)
        return float(told)

    def wait(self) -> None:
        """Return when every process is here: what the first wrote can then be read by all."""
        self.agreed(0.0)

    @contextmanager
    def computing(self) -> Iterator[None]:
        """Compute a loss: in bfloat16 where chosen, dropout as in one process."""
        narrow: AbstractContextManager[Any] = nullcontext()
        if self.bf16:
            narrow = torch.autocast(self.device.type, dtype=torch.bfloat16)
        shared = _SharedDropout(self) if self.size > 1 else nullcontext()
        with narrow, shared:
            yield


ALONE = World()


class _Gather(torch.autograd.Function):
    """All processes' rows; the gradient of a row comes from every process that used it."""

    @staticmethod
    def forward(ctx: Any, rows: Tensor, world: World) -> Tensor:
        ctx.world = world
        parts = [torch.empty_like(rows) for _ in range(world.size)]
        dist.all_gather(parts, rows.contiguous())
        return torch.cat(parts)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        total = gradients[0].contiguous().clone()
        dist.all_reduce(total)
        return total[ctx.world.rows(len(total))], None


class _SharedDropout(TorchFunctionMode):
    """Draw each dropout mask for the whole batch, as one process would, and keep our rows."""

    def __init__(self, world: World) -> None:
        super().__init__()
        self._world = world

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Sequence[type],
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        kwargs = dict(kwargs or {})
        if func is functional.dropout:
            return self._dropout(*args, **kwargs)
        return func(*args, **kwargs)

    def _dropout(
        self, rows: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False
    ) -> Tensor:
        if not training or p == 0:
            return rows
        shape = (len(rows) * self._world.size, *rows.shape[1:])
        kept = torch.empty(shape, dtype=rows.dtype, device=rows.device).bernoulli_(1 - p)
        return rows * kept[self._world.rows(len(kept))] * (1 / (1 - p))


@contextmanager
def joined(
    device: str = "auto", precision: Precision = "auto", parallel: Parallel = "ddp"
) -> Iterator[World]:
    """Join the processes that torchrun started, if it did; leave them at the end.

    Gloo between CPUs, NCCL between GPUs. Every process must see the same work folder.
    """
    size = int(os.environ.get("WORLD_SIZE", "1"))
    local = int(os.environ.get("LOCAL_RANK", "0"))
    where = _device(device, local)
    if where.type == "cuda":
        torch.cuda.set_device(where)
    if size > 1:
        dist.init_process_group("nccl" if where.type == "cuda" else "gloo")
    try:
        rank = int(os.environ.get("RANK", "0"))
        yield World(rank, size, where, _is_bf16(where, precision), parallel)
    finally:
        if size > 1:
            dist.destroy_process_group()


def _device(name: str, local: int) -> torch.device:
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    if name == "cpu":
        return torch.device("cpu")
    if name != "cuda" or not torch.cuda.is_available():
        raise DeviceUnavailable(
            f"The device {name!r} cannot train here; allowed are auto, cpu and, where torch finds "
            "an NVIDIA or AMD GPU, cuda: change device in the configuration."
        )
    return torch.device("cuda", local)


def _is_bf16(device: torch.device, precision: Precision) -> bool:
    """``auto`` is bfloat16 on GPUs that have it; processors are asked for it by name."""
    if precision == "auto":
        return device.type == "cuda" and torch.cuda.is_bf16_supported(including_emulation=False)
    return precision == "bf16"
