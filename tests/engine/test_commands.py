"""The engine's commands: what they print and how they end."""

from __future__ import annotations

import dataclasses
import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from safetensors.numpy import load_file, save_file

from engine.commands import bench, engine, models
from engine.config import EngineConfig, Flags
from osc_bridge.errors import DeviceUnavailable, PackCorrupt, PackMissing

FIXTURE = Path(__file__).parents[1] / "data" / "ssv2a" / "small"


def test_parity_holds_on_the_published_numbers() -> None:
    result = CliRunner().invoke(models, ["parity", str(FIXTURE), "--json"])
    rows = json.loads(result.output)
    assert result.exit_code == 0
    assert rows
    assert all(row["ok"] for row in rows)


@pytest.mark.parametrize("change", ["value", "stranger"])
def test_parity_ends_in_1_when_a_number_differs_or_is_not_known(
    tmp_path: Path, change: str
) -> None:
    folder = tmp_path / "copy"
    shutil.copytree(FIXTURE, folder)
    numbers = load_file(folder / "expected.safetensors")
    if change == "value":
        numbers["remixer.mu"] = numbers["remixer.mu"] + 1e-3
    else:
        numbers["stranger"] = numbers["remixer.mu"]
    save_file(numbers, folder / "expected.safetensors")
    result = CliRunner().invoke(models, ["parity", str(folder)])
    assert result.exit_code == 1
    assert result.output.splitlines()[0].startswith("tensor")


def test_verify_reads_every_byte(tiny_pack: Path, tmp_path: Path) -> None:
    result = CliRunner().invoke(models, ["verify", str(tiny_pack), "--json"])
    assert [row["pack"] for row in json.loads(result.output)] == ["tiny"]

    folder = tmp_path / "copy"
    shutil.copytree(tiny_pack, folder)
    weights = folder / "codec.safetensors"
    data = weights.read_bytes()
    weights.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    result = CliRunner().invoke(models, ["verify", str(folder)])
    assert isinstance(result.exception, PackCorrupt)


def test_a_pack_that_is_not_there() -> None:
    result = CliRunner().invoke(models, ["verify", "nonesuch"])
    assert isinstance(result.exception, PackMissing)


def test_list_prints_a_row_a_pack() -> None:
    result = CliRunner().invoke(models, ["list", "--json"])
    assert result.exit_code == 0
    assert isinstance(json.loads(result.output), list)


def test_bench_render_measures_the_pack(
    loaded_tiny_pack: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("engine.bench.load_pack", lambda _name, _device: loaded_tiny_pack)
    options = ["--seconds", "0.5", "--repeats", "1", "--json"]
    result = CliRunner().invoke(bench, ["render", *options])
    figures = json.loads(result.output)
    assert figures["pack"] == "tiny"
    assert all(figures[name] > 0 for name in ("cold_s", "preview_s", "final_s", "memory_bytes"))


def test_bench_says_when_a_device_is_not_here() -> None:
    result = CliRunner().invoke(bench, ["render", "--device", "tpu"])
    assert isinstance(result.exception, DeviceUnavailable)


def test_the_engine_is_started_with_what_the_options_say(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[EngineConfig] = []
    monkeypatch.setattr("engine.run.run_engine", lambda config, *_, **__: started.append(config))
    token = tmp_path / "token"
    token.write_text("correct-horse-battery")
    token.chmod(0o600)
    options = ["--session", str(tmp_path / "session"), "--port", "7771", "--tcp-port", "7772"]
    options += ["--pack", "starter", "--device", "cpu", "--allow", str(tmp_path)]
    options += ["--precision", "bf16", "--compile", "--memory-budget-gb", "2", "--stems-gb", "0.5"]
    options += ["--bind", "192.0.2.7", "--token-file", str(token), "--mdns", "--no-oscquery"]
    result = CliRunner().invoke(engine, [*options, "--http-port", "7773"])
    assert result.exit_code == 0, result.output
    (config,) = started
    assert (config.udp_port, config.tcp_port, config.http_port) == (7771, 7772, 7773)
    assert (config.options.precision, config.options.compiled) == ("bf16", True)
    assert (config.memory_budget_bytes, config.stems_bytes) == (2_000_000_000, 500_000_000)
    assert (config.bind, config.token) == ("192.0.2.7", "correct-horse-battery")
    assert (config.mdns, config.oscquery, config.allow) == (True, False, (tmp_path,))


def test_every_flag_is_an_option_of_the_command() -> None:
    options = {parameter.name for parameter in engine.params}
    assert {field.name for field in dataclasses.fields(Flags)} == options - {
        "session",
        "until_stdin_closes",
    }
