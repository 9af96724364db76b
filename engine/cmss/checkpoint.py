"""Weights on disk: the published ``.pth`` files and Wildtrack's own safetensors layout.

Published: ``ssv2a.json``, ``ssv2a.pth`` (``timestamp`` and three state dicts) and, if the pack
knows video, ``agg.pth``. Own: ``ssv2a.json`` and ``ssv2a.safetensors``, whose tensors carry the
name of their state dict as a prefix (``manifold_state.logit_scale``), in float32 or float16.
"""

from __future__ import annotations

import pickle
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import cast

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from safetensors.torch import save as safetensors_bytes
from torch import Tensor, nn

from engine.cmss.config import SSV2AConfig
from engine.cmss.model import SSV2A
from engine.cmss.temporal import HEADS, Aggregator
from engine.cmss.translator import Translator
from osc_bridge.errors import BadCheckpoint, FileMissing
from presets.files import write_whole

CONFIG_FILE = "ssv2a.json"
PICKLED_FILE = "ssv2a.pth"
AGGREGATOR_FILE = "agg.pth"
SAFETENSORS_FILE = "ssv2a.safetensors"

PARTS = ("manifold_state", "generator_state", "remixer_state")
AGGREGATOR_PART = "aggregator_state"
TRANSLATOR_PART = "translator_state"
"""audio2clip; only our own layout has it."""

State = dict[str, Tensor]


def load_ssv2a(directory: Path) -> SSV2A:
    """The model of ``directory`` in evaluation mode, float32, on the CPU.

    ``ssv2a.safetensors`` is taken before ``ssv2a.pth``. Raises FileMissing, or BadCheckpoint
    for a file that is damaged, holds code, or does not fit ``ssv2a.json`` key by key.
    """
    config = SSV2AConfig.from_file(directory / CONFIG_FILE)
    if (directory / SAFETENSORS_FILE).exists():
        source = directory / SAFETENSORS_FILE
        states = _split(source, _read_safetensors(source))
    else:
        source = directory / PICKLED_FILE
        states = _read_pickled(source, directory / AGGREGATOR_FILE)
    return _assemble(config, states, source).eval()


def save_ssv2a(model: SSV2A, directory: Path, half: bool) -> list[Path]:
    """Write ``ssv2a.json`` and ``ssv2a.safetensors`` (float16 if ``half``); returns both paths."""
    dtype = torch.float16 if half else torch.float32
    tensors = {
        f"{part}.{name}": tensor.detach().to("cpu", dtype).contiguous()
        for part, module in _modules(model).items()
        for name, tensor in module.state_dict().items()
    }
    directory.mkdir(parents=True, exist_ok=True)
    config_path, weights_path = directory / CONFIG_FILE, directory / SAFETENSORS_FILE
    write_whole(weights_path, safetensors_bytes(tensors))
    write_whole(config_path, model.config.to_json().encode())
    return [config_path, weights_path]


def _modules(model: SSV2A) -> dict[str, nn.Module]:
    modules = dict(zip(PARTS, (model.manifold, model.generator, model.remixer), strict=True))
    if model.aggregator is not None:
        modules[AGGREGATOR_PART] = model.aggregator
    if model.translator is not None:
        modules[TRANSLATOR_PART] = model.translator
    return modules


def _assemble(config: SSV2AConfig, states: Mapping[str, State], source: Path) -> SSV2A:
    """Build without memory or random numbers, then put the checked tensors in place."""
    with torch.device("meta"):
        aggregator = None
        if AGGREGATOR_PART in states:
            aggregator = _aggregator_of(states[AGGREGATOR_PART], source)
        translator = None
        if TRANSLATOR_PART in states:
            translator = _translator_of(states[TRANSLATOR_PART], config, source)
        model = SSV2A(config, aggregator, translator)
    problems: list[str] = []
    for part, module in _modules(model).items():
        problems += _differences(part, module.state_dict(), states[part])
    if problems:
        raise BadCheckpoint(
            f"{source} does not fit its {CONFIG_FILE}: {'; '.join(problems)}. "
            "Use weights and configuration of the same training."
        )
    for part, module in _modules(model).items():
        module.load_state_dict(states[part], strict=True, assign=True)
    return model


def _differences(part: str, expected: Mapping[str, Tensor], found: State) -> Iterator[str]:
    """Sentences for missing and unexpected keys, other shapes, and numbers that are not finite."""
    missing = sorted(expected.keys() - found.keys())
    unexpected = sorted(found.keys() - expected.keys())
    if missing or unexpected:
        yield f"{part} missing {missing}, unexpected {unexpected}"
    for name in sorted(expected.keys() & found.keys()):
        have, want = tuple(found[name].shape), tuple(expected[name].shape)
        if have != want:
            yield f"{part}.{name} has shape {have}, expected {want}"
        elif not bool(found[name].isfinite().all()):
            yield f"{part}.{name} holds NaN or infinity"


def _aggregator_of(state: State, source: Path) -> Aggregator:
    """An aggregator of the size that its own weights have (their file has no configuration)."""
    tokens, table = state.get("pred_token"), state.get("pe.pe")
    hidden = state.get("encoder.encoder.0.ffn.linear1.weight")
    if tokens is None or tokens.dim() != 2 or table is None or table.dim() != 3 or hidden is None:
        raise BadCheckpoint(
            f"{source.parent / AGGREGATOR_FILE}: missing or misshapen pred_token, pe.pe or "
            "encoder.encoder.0.ffn.linear1.weight; use the aggregator of the published SSV2A."
        )
    dim = tokens.shape[1]
    if dim % HEADS or dim == 0:
        raise BadCheckpoint(
            f"{source.parent / AGGREGATOR_FILE}: {dim} dimensions; allowed is a multiple of "
            f"{HEADS}: use the aggregator of the published SSV2A."
        )
    layers = {int(m[1]) for k in state if (m := re.match(r"encoder\.encoder\.(\d+)\.", k))}
    return Aggregator(dim, len(layers), hidden.shape[0], table.shape[0])


def _translator_of(state: State, config: SSV2AConfig, source: Path) -> Translator:
    """A translator as wide as its own weights, from and to the sizes of the configuration."""
    enter = state.get("enter.weight")
    if enter is None or enter.dim() != 2 or len(enter) == 0:
        raise BadCheckpoint(
            f"{source}: missing or misshapen {TRANSLATOR_PART}.enter.weight; train the stage "
            "audio2clip again."
        )
    return Translator(config.clap_dim, config.clip_dim, len(enter))


def _read_pickled(path: Path, aggregator_path: Path) -> dict[str, State]:
    """The published layout, by torch's unpickler for tensors alone."""
    data = _unpickle(path)
    expected = {"timestamp", *PARTS}
    missing, unexpected = sorted(expected - data.keys()), sorted(data.keys() - expected)
    if missing or unexpected:
        raise BadCheckpoint(
            f"{path}: missing {missing}, unexpected {unexpected}; a published checkpoint has "
            f"{sorted(expected)}: get the file again."
        )
    states = {part: _tensors(path, part, data[part]) for part in PARTS}
    if aggregator_path.exists():
        states[AGGREGATOR_PART] = _tensors(aggregator_path, "the file", _unpickle(aggregator_path))
    return states


def _unpickle(path: Path) -> dict[str, object]:
    if not path.is_file():
        raise FileMissing(
            f"{path} is missing; a pack needs {SAFETENSORS_FILE} or {PICKLED_FILE} beside "
            f"{CONFIG_FILE}: get the pack again."
        )
    try:
        data = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise BadCheckpoint(
            f"{path} holds something other than tensors, perhaps code, and was not loaded; "
            "get the weights from their author, as safetensors if there are any."
        ) from error
    except Exception as error:
        raise BadCheckpoint(
            f"{path} cannot be read as a checkpoint ({type(error).__name__}): get it again."
        ) from error
    if not isinstance(data, dict) or not all(isinstance(key, str) for key in data):
        raise BadCheckpoint(f"{path} holds no table of named tensors: get the file again.")
    return cast("dict[str, object]", data)


def _tensors(path: Path, part: str, data: object) -> State:
    """A state dict as float32; anything in it that is not a float tensor is refused."""
    if not isinstance(data, Mapping):
        raise BadCheckpoint(f"{path}: {part} holds no tensors: get the file again.")
    state: State = {}
    for name, value in data.items():
        if not isinstance(value, Tensor) or not value.is_floating_point():
            raise BadCheckpoint(
                f"{path}: {part} holds {str(name)[:80]!r} of {type(value).__name__}; allowed are "
                "tensors of float32 or float16: get the file again."
            )
        state[str(name)] = value.float()
    return state


def _read_safetensors(path: Path) -> State:
    try:
        return _tensors(path, "the file", load_file(path))
    except (SafetensorError, OSError, ValueError) as error:
        raise BadCheckpoint(f"{path} cannot be read as safetensors ({error}): get it again.") from (
            error
        )


def _split(path: Path, tensors: State) -> dict[str, State]:
    """Sort tensors under their state dict by the prefix of their names."""
    states: dict[str, State] = {part: {} for part in PARTS}
    allowed = (*PARTS, AGGREGATOR_PART, TRANSLATOR_PART)
    for name, tensor in tensors.items():
        part, _, rest = name.partition(".")
        if part not in allowed or not rest:
            raise BadCheckpoint(
                f"{path}: unexpected tensor {name[:80]!r}; allowed prefixes are "
                f"{allowed}: save it again with Wildtrack."
            )
        states.setdefault(part, {})[rest] = tensor
    return states
