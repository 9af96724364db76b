"""The text vectors of the classifier's class names, stored: making them takes seconds.

``class_vectors.safetensors`` holds them as float16 (1000, 384), and the SHA-256 of the prompts that
they are the vectors of. Where an installed list of names differs, they are made anew. Run this
module to write the file again.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Sequence
from pathlib import Path

from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor
from torch.nn import functional

from engine.perception.efficientnet import class_names
from engine.perception.text import MiniLMTextEncoder, load_text_encoder
from presets.files import write_whole

STORED = Path(__file__).with_suffix(".safetensors")
_PROMPTS = "prompts_sha256"

_log = logging.getLogger(__name__)


def class_vectors(names: Sequence[str], texts: MiniLMTextEncoder) -> Tensor:
    """Return the unit vectors (len(names), 384) of "a photo of a <name>", stored or made anew."""
    stored = _stored(names)
    if stored is None:
        _log.warning("The stored class vectors are of other names; making them anew.")
        return texts.encode_many(prompts(names))
    return functional.normalize(stored.float(), dim=-1)


def prompts(names: Sequence[str]) -> list[str]:
    """Return what is said of a picture of each class."""
    return [f"a photo of a {name}" for name in names]


def write_class_vectors(path: Path = STORED) -> None:
    """Write the vectors of the installed names; the same names and weights give the same bytes."""
    names = class_names()
    vectors = load_text_encoder("cpu").encode_many(prompts(names)).half().contiguous()
    write_whole(path, save({"vectors": vectors}, metadata={_PROMPTS: _digest(names)}))


def _stored(names: Sequence[str]) -> Tensor | None:
    try:
        with safe_open(STORED, framework="pt") as file:
            if (file.metadata() or {}).get(_PROMPTS) != _digest(names):
                return None
            vectors: Tensor = file.get_tensor("vectors")
    except (OSError, SafetensorError) as error:
        _log.warning("%s cannot be read (%s).", STORED, error)
        return None
    return vectors if vectors.shape == (len(names), MiniLMTextEncoder.dim) else None


def _digest(names: Sequence[str]) -> str:
    return hashlib.sha256("\n".join(prompts(names)).encode()).hexdigest()


if __name__ == "__main__":
    write_class_vectors()
