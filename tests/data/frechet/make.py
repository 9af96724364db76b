"""Write the embeddings of this folder and the distances that frechet-audio-distance gives them.

Run it in a virtual environment of its own; README.md here says how.
"""

from __future__ import annotations

import json
import sys
from importlib.metadata import version
from pathlib import Path
from types import ModuleType

import numpy as np

FOLDER = Path(__file__).parent
MODELS = (
    "torch torch.nn torch.nn.functional torchlibrosa torchlibrosa.stft torchlibrosa.augmentation"
)


class Absent(ModuleType):
    """What only models need, and the distance does not: any name in it is an empty class."""

    def __getattr__(self, name: str) -> type:
        """Return an empty class; a module has neither ``__path__`` nor ``__all__``."""
        if name.startswith("__"):
            raise AttributeError(name)
        return type(name, (), {})


def embeddings() -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Return reference and generated embeddings of each case, 32-bit floats."""
    draw = np.random.default_rng(411)
    mixing = draw.normal(0, 1, (16, 16))
    plain = draw.normal(0, 1, (60, 16)) @ mixing, draw.normal(0.3, 1.4, (45, 16)) @ mixing
    few = draw.normal(0, 1, (9, 24)), draw.normal(0.5, 1, (7, 24))
    unit = [draw.normal(0.4, 1, (80, 32)), draw.normal(0.3, 1.2, (70, 32))]
    unit = [rows / np.linalg.norm(rows, axis=1, keepdims=True) for rows in unit]
    cases = {"plain": plain, "few": few, "unit": tuple(unit)}
    return {n: tuple(r.astype(np.float32) for r in rows) for n, rows in cases.items()}


def main() -> None:
    """Write one pair of .npy a case, and expected.json."""
    for name in [*MODELS.split(), "laion_clap", "encodec"]:
        sys.modules.setdefault(name, Absent(name))
    sys.modules["torch"].nn = sys.modules["torch.nn"]
    from frechet_audio_distance import FrechetAudioDistance

    package = FrechetAudioDistance.__new__(FrechetAudioDistance)
    distances = {}
    for name, (reference, generated) in embeddings().items():
        np.save(FOLDER / f"{name}_reference.npy", reference)
        np.save(FOLDER / f"{name}_generated.npy", generated)
        first, second = (package.calculate_embd_statistics(rows) for rows in (reference, generated))
        distances[name] = float(package.calculate_frechet_distance(*first, *second))
    found = {
        "package": f"frechet-audio-distance {version('frechet-audio-distance')}",
        "numpy": np.__version__,
        "scipy": version("scipy"),
        "distances": distances,
    }
    (FOLDER / "expected.json").write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
