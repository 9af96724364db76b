"""The main path with real perception and the tiny pack's own decoder."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import soundfile


def test_a_take_is_whole_and_comes_back_byte_for_byte(
    tiny_engine: Any, picture: Path, clip: Path
) -> None:
    client = tiny_engine.client
    takes = []
    scene = tiny_engine.scene("rain on a tin roof", seed=5)
    client.add_image(scene, picture)
    client.add_audio(scene, clip)
    for _ in range(2):
        takes.append(
            json.loads(Path(client.render(scene, "consistent", "preview").path).read_text())
        )
        before = tiny_engine.files()
        for path in before:
            Path(path).unlink()
    (first, second), after = takes, before
    assert [s["sha256"] for s in first["sources"]] == [s["sha256"] for s in second["sources"]]
    assert first["mix"] == second["mix"]
    assert first["frame"]
    assert set(first["timings_s"]) == {"perceive", "remix", "render"}

    stems = [after[str(tiny_engine.session / s["file"])][1] for s in second["sources"]]
    waves = [_wave(data, tiny_engine.inputs) for data in stems]
    mix = _wave(after[str(tiny_engine.session / second["mix"]["file"])][1], tiny_engine.inputs)
    assert np.isfinite(mix).all()
    assert mix.any()
    assert np.abs(np.sum(waves, axis=0) - mix).max() < 1e-4


def _wave(data: bytes, folder: Path) -> np.ndarray:
    path = folder / "read.wav"
    path.write_bytes(data)
    return soundfile.read(path)[0]
