"""Networks in shards: each of several processes keeps its share of every parameter (FSDP).

The network is gathered for a step and parted again after it. So what shrinks with the number of
processes is what lies between steps: weights, gradients, the optimisers' state and the moving
average. A parameter that is one number (a temperature) cannot be parted: every process keeps it,
and the mean of its gradients is taken here. Imported only where it is wanted: it takes a second.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeVar, cast

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.distributed.device_mesh import DeviceMesh, init_device_mesh
from torch.distributed.fsdp import fully_shard
from torch.distributed.tensor import DTensor, Shard, distribute_tensor
from torch.optim import Optimizer
from torch.optim.swa_utils import AveragedModel

from engine.training.world import World

_T = TypeVar("_T")


class _Slots:
    """Where the parameters of a module sit, and the objects that sat there before the parting."""

    def __init__(self, module: nn.Module) -> None:
        self.all = [
            (part, name, parameter)
            for part in module.modules()
            for name, parameter in part.named_parameters(recurse=False, remove_duplicate=False)
        ]

    def release(self) -> None:
        """Free the memory of what was parted; the objects stay."""
        for part, name, before in self.all:
            if getattr(part, name) is not before:
                before.data = before.data.new_empty(0)

    def restore(self) -> None:
        """Put the objects back where they sat, whole, with the values of now."""
        for part, name, before in self.all:
            now = getattr(part, name)
            if isinstance(now, DTensor):
                before.data = _gathered(now)
            part.register_parameter(name, before)


class Shards:
    """What a training changes, in shards from the making of this object to :meth:`restore`.

    ``taught`` is the module whose forward pass gives the loss; ``average`` the moving average of
    its network. The optimisers go on with the shards, and with their shares of the state they had.
    """

    def __init__(
        self,
        taught: nn.Module,
        average: AveragedModel,
        optimizers: Sequence[Optimizer],
        world: World,
    ) -> None:
        mesh = init_device_mesh(world.device.type, (world.size,))
        self._world = world
        self._taught_slots, self._average_slots = _Slots(taught), _Slots(average.module)
        self._alone = [p for p in taught.parameters() if not p.ndim]
        fully_shard(taught, mesh=mesh, ignored_params=set(self._alone))
        for optimizer in optimizers:
            self._follow(optimizer)
        self._taught_slots.release()
        self._part_average(mesh)
        if follow := average.multi_avg_fn:
            average.multi_avg_fn = lambda mean, now, count: follow(own(mean), own(now), count)

    def _follow(self, optimizer: Optimizer) -> None:
        """Let an optimiser go on with what sits now where its parameters sat."""
        now: dict[Tensor, Tensor] = {
            old: getattr(part, name) for part, name, old in self._taught_slots.all
        }
        for group in optimizer.param_groups:
            group["params"] = [now[old] for old in group["params"]]
        for old in list(optimizer.state):
            state = optimizer.state.pop(old)
            optimizer.state[now[old]] = {key: _like(now[old], of) for key, of in state.items()}

    def _part_average(self, mesh: DeviceMesh) -> None:
        self._parts: list[nn.Parameter] = []
        for part, name, whole in self._average_slots.all:
            self._parts.append(_parted(whole, mesh) if whole.ndim else whole)
            part.register_parameter(name, self._parts[-1])
        self._average_slots.release()
        self._is_parted = True

    def gather_average(self) -> None:
        """Make the average whole in every process, until :meth:`part_average`."""
        if self._is_parted:
            self._average_slots.restore()
            self._is_parted = False

    def part_average(self) -> None:
        """Give back the memory that :meth:`gather_average` took; changes meanwhile are lost."""
        if not self._is_parted:
            for (part, name, _), own in zip(self._average_slots.all, self._parts, strict=True):
                part.register_parameter(name, own)
            self._average_slots.release()
            self._is_parted = True

    def settle(self, parameters: Sequence[Tensor], most: float) -> None:
        """After a backward pass: share the gradients that FSDP does not, and clip all of them.

        The common length of the gradients of ``parameters`` is at most ``most`` then.
        """
        for parameter in self._alone:
            if parameter.grad is not None:
                dist.all_reduce(parameter.grad)
                parameter.grad /= self._world.size
        clip(parameters, most, self._world)

    def whole(self, content: Mapping[str, Any]) -> dict[str, Any]:
        """Return a checkpoint's content with everything whole, in the first process alone."""
        return {key: whole(value, keep=self._world.first) for key, value in content.items()}

    def restore(self) -> None:
        """Make everything whole again in every process, in the parameters of before."""
        self.gather_average()
        self._taught_slots.restore()


def _parted(whole: Tensor, mesh: DeviceMesh) -> nn.Parameter:
    """Return our share; a copy, for a view would keep the whole alive."""
    share = distribute_tensor(whole.detach(), mesh, [Shard(0)], src_data_rank=None)
    return nn.Parameter(share.clone(), requires_grad=False)


def _like(parameter: Tensor, value: _T) -> _T:
    """Return our share of an optimiser's value that has the shape of its parameter."""
    if not isinstance(value, Tensor) or not isinstance(parameter, DTensor):
        return value
    if value.shape != parameter.shape:
        return value
    mesh, places = parameter.device_mesh, parameter.placements
    own = distribute_tensor(value, mesh, places, src_data_rank=None).clone()
    return cast("_T", own)


def _gathered(parted: DTensor) -> Tensor:
    return parted.full_tensor().detach()


def own(tensors: Sequence[Tensor]) -> list[Tensor]:
    """Return this process's shares of tensors, of those that are parted."""
    return [each.to_local() if isinstance(each, DTensor) else each for each in tensors]


def whole(content: Any, *, keep: bool) -> Any:
    """Return nested dictionaries and lists with every parted tensor whole, on the processor.

    All processes must call it with the same; those that do not ``keep`` get None for such tensors.
    """
    if isinstance(content, DTensor):
        gathered = _gathered(content)
        return gathered.cpu() if keep else None
    if isinstance(content, Mapping):
        return {key: whole(value, keep=keep) for key, value in content.items()}
    if isinstance(content, list):
        return [whole(value, keep=keep) for value in content]
    return content


def clip(parameters: Sequence[Tensor], most: float, world: World) -> None:
    """Scale gradients so that their common length is at most ``most``, parted ones and others."""
    gradients = [p.grad for p in parameters if p.grad is not None]
    parted = own([g for g in gradients if isinstance(g, DTensor)])
    alone = [g for g in gradients if not isinstance(g, DTensor)]
    length = (_square(parted, world) * world.size + _square(alone, world)) ** 0.5
    for gradient in (*parted, *alone):
        gradient.mul_(min(1.0, most / (length + 1e-6)))


def _square(gradients: Sequence[Tensor], world: World) -> float:
    """Return the mean over the processes of the squared length of gradients."""
    squares = [g.float().square().sum() for g in gradients]
    total = torch.stack(squares).sum() if squares else torch.zeros((), device=world.device)
    return world.mean(total)
