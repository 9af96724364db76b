"""The benchmark of rendering measures other options beside the plain way."""

from __future__ import annotations

from pathlib import Path

from click.testing import CliRunner

from engine.bench import run_render_bench
from engine.commands import bench
from engine.models.options import Options


def test_options_are_measured_beside_the_plain_way(tiny_pack: Path) -> None:
    result = run_render_bench(str(tiny_pack), "cpu", 0.5, 1, Options("bf16"))
    assert result.compared is not None
    assert result.compared.precision == "bf16"
    assert not result.compared.compiled
    ratio = result.compared.preview_s / result.preview_s
    assert abs(result.compared.preview_ratio - ratio) < 1e-9
    assert result.compared.final_ratio > 0
    assert 0 < result.compared.mel_error_db < 20


def test_float32_beside_itself_is_no_other_sound(tiny_pack: Path) -> None:
    result = run_render_bench(str(tiny_pack), "cpu", 0.5, 1, Options())
    assert result.compared is not None
    assert result.compared.mel_error_db == 0.0


def test_the_command_prints_both_ways_side_by_side(tiny_pack: Path) -> None:
    short = ["--pack", str(tiny_pack), "--seconds", "0.5", "--repeats", "1"]
    said = CliRunner().invoke(bench, ["render", *short, "--precision", "bf16"])
    assert said.exit_code == 0, said.output
    rows = dict(line.split("\t") for line in said.output.splitlines())
    assert rows["bf16: final"].endswith("of the plain way")
    assert rows["bf16: apart from the plain way by"].endswith(" dB")
    refused = CliRunner().invoke(bench, ["render", *short, "--precision", "int4"])
    assert "allowed values are auto, fp32" in str(refused.exception)
