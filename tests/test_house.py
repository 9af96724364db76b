"""The house rules that no linter holds: sizes, loose ends, the change log, what is delivered."""

from __future__ import annotations

import ast
import fnmatch
import os
import re
import statistics
import subprocess
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGES = ("engine", "osc_bridge", "plugin_host", "presets")
MODULES = sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))
MODULE_LINES = 350
LOOSE_ENDS = re.compile(r"\b(TODO|FIXME|XXX|NotImplementedError|type: ignore$)")
"""What no module of ours may say; these words are the check itself, not loose ends of it."""


def _named(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def _function_lines() -> Iterator[int]:
    for path in MODULES:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                yield (node.end_lineno or node.lineno) - node.lineno + 1


def test_modules_stay_readable() -> None:
    large = [_named(p) for p in MODULES if len(p.read_text("utf-8").splitlines()) > MODULE_LINES]
    assert large == []


def test_functions_stay_short() -> None:
    lines = sorted(_function_lines())
    assert statistics.median(lines) <= 15
    assert lines[int(len(lines) * 0.95)] <= 45


@pytest.mark.parametrize("path", MODULES, ids=_named)
def test_no_loose_ends(path: Path) -> None:
    source = path.read_text(encoding="utf-8")
    found = [line for line in source.splitlines() if LOOSE_ENDS.search(line)]
    assert found == []


@pytest.mark.parametrize("path", MODULES, ids=_named)
def test_module_says_what_it_is(path: Path) -> None:
    assert ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))


def test_no_catch_all_modules() -> None:
    assert [_named(p) for p in MODULES if p.stem in {"utils", "helpers", "misc", "common"}] == []


@pytest.mark.parametrize("package", PACKAGES)
def test_package_is_typed(package: str) -> None:
    assert (ROOT / package / "py.typed").is_file()


def test_change_log_has_this_version() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    headings = re.findall(r"^## (\S+)", (ROOT / "CHANGELOG.md").read_text("utf-8"), re.MULTILINE)
    assert headings[0] == project["version"]


def test_constraints_pin_every_direct_requirement() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"]
    wanted = [*project["dependencies"], *extras["dev"], *extras["train"]]
    lines = (ROOT / "constraints.txt").read_text("utf-8").splitlines()
    pinned = {_normal(line.split("==")[0]) for line in lines if "==" in line}
    assert {_normal(re.split(r"[<>=~! ;]", line)[0]) for line in wanted} <= pinned


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def test_licence_is_whole() -> None:
    text = (ROOT / "LICENSE").read_text(encoding="utf-8")
    assert "GNU AFFERO GENERAL PUBLIC LICENSE" in text
    assert "END OF TERMS AND CONDITIONS" in text
    assert len(text.splitlines()) > 600


def test_nothing_points_outside_the_repository() -> None:
    """The corpus is the one thing outside, and only `make starter` asks for it."""
    allowed = {"Makefile", "CONTRIBUTING.md", "docs/training-data.md"}
    texts = [*MODULES, *ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), ROOT / "Makefile"]
    outside = re.compile(r"/work/|\.\./shared")
    pointing = {_named(p) for p in texts if outside.search(p.read_text("utf-8"))}
    assert pointing <= allowed


def test_every_data_file_is_delivered() -> None:
    """What is no Python file is named by the package data; every Python file is in a package."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    patterns = project["tool"]["setuptools"]["package-data"]
    files = [p for name in PACKAGES for p in (ROOT / name).rglob("*") if p.is_file()]
    files = [p for p in files if "__pycache__" not in p.parts and not p.name.startswith(".")]
    forgotten = [
        _named(p)
        for p in files
        if (p.suffix != ".py" and not _delivered(p, patterns))
        or (p.suffix == ".py" and not (p.parent / "__init__.py").exists())
    ]
    assert forgotten == []


def _delivered(path: Path, patterns: dict[str, list[str]]) -> bool:
    package, *inside = path.relative_to(ROOT).parts
    return any(fnmatch.fnmatch("/".join(inside), pattern) for pattern in patterns[package])


def _make(*words: str) -> subprocess.CompletedProcess[str]:
    """Run make as a person would, set-up taken as done."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith("MAKE")}
    stamp = ["-o", ".venv/.wildtrack-set-up"]
    return subprocess.run(
        ["make", *stamp, *words], cwd=ROOT, env=kept, capture_output=True, text=True, check=False
    )


def test_make_without_a_target_lists_them() -> None:
    listed = re.findall(r"^  make (\w+)", _make().stdout, re.MULTILINE)
    assert {"setup", "demo", "test", "check", "starter", "clean", "help"} <= set(listed)


def test_make_starter_without_data_says_what_is_needed(tmp_path: Path) -> None:
    done = _make("starter", f"DATA={tmp_path / 'none'}")
    assert done.returncode != 0
    assert "docs/training-data.md" in done.stderr
    assert "DATA=DIR" in done.stderr


def test_gate_is_sound_shell() -> None:
    gate = ROOT / ".ci" / "run"
    assert os.access(gate, os.X_OK)
    done = subprocess.run(["bash", "-n", gate], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
