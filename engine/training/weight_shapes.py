"""The shapes of the tensors that a stage left: they tell the sizes of its network."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from safetensors import SafetensorError, safe_open

from engine.training.results import StageName
from osc_bridge.errors import BadCheckpoint, FileMissing


def weight_shapes(path: Path, stage: StageName) -> Mapping[str, list[int]]:
    """Return the shape of every tensor by its name. FileMissing, BadCheckpoint."""
    if not path.is_file():
        raise FileMissing(
            f"There is no file {path}; give what wildtrack train {stage} left, or run that first "
            "with this --work."
        )
    try:
        with safe_open(path, framework="pt") as file:
            return {name: file.get_slice(name).get_shape() for name in file.keys()}  # noqa: SIM118
    except (OSError, SafetensorError) as error:
        raise BadCheckpoint(f"{path} is no safetensors file ({error}); train it anew.") from error
