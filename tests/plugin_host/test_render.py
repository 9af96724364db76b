"""``wildtrack render`` against a served engine: files in, files out, cancelling."""

from __future__ import annotations

import json
import os
import signal
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from click.testing import CliRunner
from PIL import Image

from osc_bridge.errors import BadPreset, WildtrackError
from plugin_host.commands import chains, render
from plugin_host.demo_scene import SIZE, clip_wav, draw_frame, drips
from presets.schema import chain_names

Engine = Any


@pytest.fixture
def inputs(tmp_path: Path) -> list[str]:
    Image.new("RGB", (32, 18)).save(tmp_path / "frame.png")
    soundfile.write(tmp_path / "wind.wav", np.zeros(4800), 48_000)
    frame, wind = str(tmp_path / "frame.png"), str(tmp_path / "wind.wav")
    return ["--image", frame, "--audio", wind, "--text", "rain on a tin roof"]


def run(engine: Engine, inputs: list[str], out: Path, *options: str) -> Any:
    session = ["--session", str(engine.session.folder)]
    return CliRunner().invoke(render, [*inputs, "--out", str(out), *session, *options])


def test_render_writes_stems_mix_sidecar_and_picture(
    fake_engine: Engine, inputs: list[str], tmp_path: Path
) -> None:
    out = tmp_path / "out"
    result = run(fake_engine, inputs, out, "--stems", "consistent", "--chain", "far", "--picture")
    assert result.exception is None, result.output
    suffixes = sorted(path.suffix for path in out.iterdir())
    assert suffixes == [".json", ".png", ".wav", ".wav", ".wav", ".wav"]
    assert "ANMLDog_Dog_WT_out-t0001.wav\tdog\t" in result.stdout
    assert fake_engine.texts == ["rain on a tin roof"]
    assert ("s1", "chain", "far") in fake_engine.fields


def test_json_tells_the_same(fake_engine: Engine, inputs: list[str], tmp_path: Path) -> None:
    result = run(fake_engine, inputs, tmp_path / "out", "--json", "--start-sample", "4800")
    document = json.loads(result.stdout)
    assert [file["role"] for file in document["files"]] == ["stem", "stem", "stem", "mix"]
    assert {file["start_sample"] for file in document["files"]} == {4800}
    assert document["engine_start_s"] == 0
    assert document["timings_s"]["remix"] == 0.2


def test_files_travel_through_the_session_and_are_gone_afterwards(
    fake_engine: Engine, inputs: list[str], tmp_path: Path
) -> None:
    run(fake_engine, inputs, tmp_path / "out")
    names = [Path(path).name for path, _ in fake_engine.files]
    assert names == ["frame.png", "wind.wav"]
    for path, data in fake_engine.files:
        assert Path(path).is_relative_to(fake_engine.session.folder)
        assert not Path(path).exists()
        assert data == (tmp_path / Path(path).name).read_bytes()
    assert not list((fake_engine.session.folder / "incoming").iterdir())


def test_ctrl_c_cancels_the_job_and_leaves_no_file(
    fake_engine: Engine, inputs: list[str], tmp_path: Path
) -> None:
    fake_engine.holds_render = True

    def interrupt() -> None:
        if fake_engine.entered.wait(20):
            os.kill(os.getpid(), signal.SIGINT)

    threading.Thread(target=interrupt, daemon=True).start()
    result = run(fake_engine, inputs, tmp_path / "out")
    assert result.exit_code != 0
    assert fake_engine.cancelled.wait(20)
    assert not (tmp_path / "out").exists()


def test_a_chain_of_the_users_own(fake_engine: Engine, inputs: list[str], tmp_path: Path) -> None:
    mine = tmp_path / "mine.toml"
    mine.write_text('[[effects]]\neffect = "gain"\ngain_db = -6\n')
    result = run(fake_engine, inputs, tmp_path / "out", "--chain", str(mine), "--json")
    assert {f["chain"] for f in json.loads(result.stdout)["files"][:3]} == {"mine"}
    assert not fake_engine.fields


def test_an_unknown_chain_is_said_first(
    fake_engine: Engine, inputs: list[str], tmp_path: Path
) -> None:
    result = run(fake_engine, inputs, tmp_path / "out", "--chain", "nope")
    assert isinstance(result.exception, BadPreset)
    assert "behind_a_door" in str(result.exception)
    assert not fake_engine.texts


def test_what_the_engine_refuses_is_passed_on(
    fake_engine: Engine, inputs: list[str], tmp_path: Path
) -> None:
    fake_engine.session.document["sources"][0]["file"] = "../../secret"
    result = run(fake_engine, inputs, tmp_path / "out")
    assert isinstance(result.exception, WildtrackError)
    assert not (tmp_path / "out").exists()


def test_chains_lists_all() -> None:
    listed = json.loads(CliRunner().invoke(chains, ["--json"]).stdout)
    assert [row["name"] for row in listed] == chain_names()
    assert len(CliRunner().invoke(chains).stdout.splitlines()) == len(listed) + 1


def test_the_demo_makes_its_own_material() -> None:
    assert draw_frame().size == SIZE
    sound = drips()
    assert 0.3 < np.abs(sound).max() < 1
    assert clip_wav() == clip_wav()
