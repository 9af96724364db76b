"""Weights from safetensors into a network, every key and shape accounted for.

The network is built without memory first. Its keys and shapes are compared with the file's header,
which safetensors holds against the size of the file: a pack gets no more memory than its files,
read as float32, justify.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor, nn

from osc_bridge.errors import BadCheckpoint, PackCorrupt

Net = TypeVar("Net", bound=nn.Module)

FLOATS = ("F16", "BF16", "F32")

_REFUSALS = (TypeError, ValueError, RuntimeError, ArithmeticError, IndexError, AssertionError)
"""What building a network of impossible sizes leads to."""


def load_network(build: Callable[[], Net], path: Path) -> Net:
    """Return the network that ``build`` makes, in evaluation mode, with the weights of ``path``.

    Float32, on the CPU, without gradients. PackCorrupt for sizes that no network has,
    BadCheckpoint lists what differs from the file.
    """
    try:
        with torch.device("meta"):
            net = build()
    except _REFUSALS as error:
        raise PackCorrupt(
            f"The sizes in the manifest beside {path} fit no network ({error}); fetch the pack "
            "again."
        ) from error
    state = _read(path, net.state_dict())
    net.load_state_dict(state, strict=True, assign=True)
    return net.requires_grad_(False).eval()


def _read(path: Path, expected: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return float32 tensors of exactly the keys and shapes of ``expected``."""
    try:
        with safe_open(path, framework="pt") as file:
            _compare(path, expected, _shapes(file))
            state = {name: file.get_tensor(name).float() for name in expected}
    except (OSError, SafetensorError) as error:
        raise BadCheckpoint(f"{path} is not a whole safetensors file ({error}).") from error
    wild = sorted(name for name, tensor in state.items() if not bool(tensor.isfinite().all()))
    if wild:
        raise BadCheckpoint(f"{path} holds NaN or infinity in {wild}; fetch the pack again.")
    return state


def _shapes(file: Any) -> dict[str, tuple[int, ...] | str]:
    """Return the shape of each tensor, or its type where that is none of ours; reads no tensor."""
    slices = {name: file.get_slice(name) for name in file.keys()}  # noqa: SIM118
    return {
        name: tuple(part.get_shape()) if part.get_dtype() in FLOATS else part.get_dtype()
        for name, part in slices.items()
    }


def _compare(
    path: Path, expected: Mapping[str, Tensor], found: Mapping[str, tuple[int, ...] | str]
) -> None:
    wrong = [
        f"{name} is {found[name]}, expected {tuple(expected[name].shape)}"
        for name in sorted(expected.keys() & found.keys())
        if found[name] != tuple(expected[name].shape)
    ]
    missing, unexpected = expected.keys() - found.keys(), found.keys() - expected.keys()
    if missing or unexpected or wrong:
        raise BadCheckpoint(
            f"{path} does not fit its manifest: missing {_few(missing)}, unexpected "
            f"{_few(unexpected)}, wrong {_few(wrong)}; fetch the pack again."
        )


def _few(names: object) -> str:
    shown = sorted(str(name)[:100] for name in names)  # type: ignore[attr-defined]
    return str(shown[:8]) if len(shown) <= 8 else f"{shown[:8]} and {len(shown) - 8} more"
