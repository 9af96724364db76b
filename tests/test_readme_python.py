"""README's Python, word for word, drives a real engine process with a tiny pack."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile
from PIL import Image

from osc_bridge.client import Client

README = Path(__file__).parent.parent / "README.md"
PORT = "7770"


@pytest.fixture
def snippet() -> str:
    (code,) = re.findall(r"^```python\n(.*?)^```$", README.read_text("utf-8"), re.M | re.S)
    return str(code)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The folder of the reader: a picture and a sound under the names that README uses."""
    noise = np.random.default_rng(7)
    Image.fromarray(noise.integers(0, 255, (96, 128, 3), np.uint8)).save(tmp_path / "frame.png")
    wave = noise.normal(0, 0.1, 24_000).astype(np.float32)
    soundfile.write(tmp_path / "wind.wav", wave, 24_000)
    return tmp_path


@pytest.fixture
def port(folder: Path, tiny_pack: Path) -> Iterator[int]:
    """The TCP port of an engine process that may read the folder."""
    command = [sys.executable, "-m", "plugin_host.cli", "engine", "--allow", str(folder)]
    command += ["--session", str(folder / "alley.session"), "--pack", str(tiny_pack)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as engine:
        try:
            assert engine.stdout is not None
            ready = json.loads(engine.stdout.readline())
            yield ready["tcp_port"]
            with Client.connect(ready["tcp_port"]) as client:
                client.quit()
            assert engine.wait(timeout=30) == 0
        finally:
            engine.kill()


def test_readme_snippet_renders_a_take(snippet: str, folder: Path, port: int) -> None:
    assert snippet.count(PORT) == 1
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", snippet.replace(PORT, str(port))],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert any("Progress" in line for line in lines)
    stems = [line.split()[-1] for line in lines if line.endswith(".wav")]
    assert len(stems) >= 3  # the frame, the words, the sound
    for stem in stems:
        assert soundfile.info(folder / "alley.session" / stem).samplerate == 48_000


def test_readme_snippet_is_short(snippet: str) -> None:
    assert len(snippet.splitlines()) <= 15
    assert max(map(len, snippet.splitlines())) <= 80
