"""The main path, end to end: the demo through an engine process of its own, with a tiny pack."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import soundfile
from click.testing import CliRunner
from wavinfo import WavInfoReader

from osc_bridge.discovery import find_engine
from plugin_host.commands import demo


def test_the_demo_delivers_stems_mix_and_picture_twice(
    tiny_pack: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("plugin_host.demo.SECONDS", 0.5)
    out = tmp_path / "demo"
    result = CliRunner().invoke(demo, ["--out", str(out), "--pack", str(tiny_pack), "--json"])
    assert result.exception is None, result.output
    document = json.loads(result.stdout)
    for key in ("cold", "warm"):
        files = document[key]["files"]
        assert {file["source"] for file in files} >= {"dripping tap", "rain on a window", "mix"}
        assert adds_up(out, files)
    assert {row["sha256"] for row in document["cold"]["files"]}.isdisjoint(
        row["sha256"] for row in document["warm"]["files"]
    )
    assert (out / document["cold"]["picture"]).stat().st_size > 100_000
    seconds = document["seconds"]
    assert seconds["engine start"]["cold"] > 0
    assert all(seconds["total"][key] > seconds["render"][key] > 0 for key in ("cold", "warm"))
    assert find_engine(tmp_path / "demo.session") is None


def adds_up(out: Path, files: list[dict[str, str]]) -> bool:
    """Whether the stems, mono ones at -3.01 dB a side, are the mix, and know their place."""
    *stems, mix = [soundfile.read(out / file["file"], always_2d=True)[0] for file in files]
    total = np.zeros(mix.shape)
    for stem in stems:
        total[: len(stem)] += stem if stem.shape[1] == 2 else stem * np.sqrt(0.5)
    bext = WavInfoReader(str(out / files[-1]["file"])).bext
    assert bext is not None
    assert bext.time_reference == 0
    return bool(np.abs(total - mix).max() < 1e-4)
