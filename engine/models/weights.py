"""Weights from safetensors into a network, every key and shape accounted for."""

from __future__ import annotations

from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import nn

from osc_bridge.errors import BadCheckpoint


def load_weights(module: nn.Module, path: Path) -> None:
    """Load safetensors into ``module``, strictly, as float32; BadCheckpoint lists what differs."""
    try:
        state = {name: tensor.float() for name, tensor in load_file(path).items()}
    except (OSError, SafetensorError) as error:
        raise BadCheckpoint(f"{path} is not a whole safetensors file ({error}).") from error
    expected = module.state_dict()
    wrong = [
        name
        for name in expected.keys() & state.keys()
        if expected[name].shape != state[name].shape or not bool(state[name].isfinite().all())
    ]
    missing, unexpected = expected.keys() - state.keys(), state.keys() - expected.keys()
    if missing or unexpected or wrong:
        raise BadCheckpoint(
            f"{path} does not fit its manifest: missing {sorted(missing)}, unexpected "
            f"{sorted(unexpected)}, wrong shape or not finite {sorted(wrong)}; "
            "fetch the pack again."
        )
    module.load_state_dict(state)
    module.requires_grad_(False)
