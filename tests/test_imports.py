"""Who may import whom, and what a bare import may do."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGES = ("engine", "osc_bridge", "plugin_host", "presets")
APART = ("engine.training", "engine.evaluation")


@dataclass(frozen=True)
class Import:
    """One import statement: the module it stands in, what it names, whether it runs at load."""

    module: str
    target: str
    lazy: bool
    where: str

    def reaches(self, package: str) -> bool:
        return self.target == package or self.target.startswith(package + ".")

    def stands_in(self, package: str) -> bool:
        return self.module == package or self.module.startswith(package + ".")


class _Imports(ast.NodeVisitor):
    def __init__(self, path: Path, module: str) -> None:
        self.path, self.module, self.depth = path, module, 0
        self.found: list[Import] = []

    def visit_FunctionDef(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        self.depth += 1
        self.generic_visit(node)
        self.depth -= 1

    visit_AsyncFunctionDef = visit_FunctionDef

    def visit_Import(self, node: ast.Import) -> None:
        for alias in node.names:
            self._add(alias.name, node.lineno)

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        base = node.module or ""
        if node.level:
            package = self.module.split(".")
            if self.path.name != "__init__.py":
                package = package[:-1]
            package = package[: len(package) - node.level + 1]
            base = ".".join([*package, *([base] if base else [])])
        for alias in node.names:
            self._add(f"{base}.{alias.name}", node.lineno)

    def _add(self, target: str, line: int) -> None:
        where = f"{self.path.relative_to(ROOT)}:{line}"
        self.found.append(Import(self.module, target, self.depth > 0, where))


def module_name(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports_of(package: str) -> Iterator[Import]:
    for path in sorted((ROOT / package).rglob("*.py")):
        visitor = _Imports(path, module_name(path))
        visitor.visit(ast.parse(path.read_text(encoding="utf-8")))
        yield from visitor.found


@pytest.fixture(scope="module")
def imports() -> list[Import]:
    return [found for package in PACKAGES for found in imports_of(package)]


@pytest.mark.parametrize(
    ("library", "home"),
    [
        ("torch", "engine"),
        ("torchvision", "engine"),
        ("pedalboard", "plugin_host"),
        ("sounddevice", "plugin_host"),
    ],
)
def test_library_stays_at_home(imports: list[Import], library: str, home: str) -> None:
    strays = [i.where for i in imports if i.reaches(library) and not i.stands_in(home)]
    assert strays == []


@pytest.mark.parametrize("side", ["engine", "plugin_host"])
def test_contract_imports_neither_side(imports: list[Import], side: str) -> None:
    assert [i.where for i in imports if i.stands_in("osc_bridge") and i.reaches(side)] == []


def test_presets_need_only_the_standard_library(imports: list[Import]) -> None:
    allowed = {*sys.stdlib_module_names, "presets"}
    strays = [
        i.where
        for i in imports
        if i.stands_in("presets") and i.target.split(".", maxsplit=1)[0] not in allowed
    ]
    assert strays == []


@pytest.mark.parametrize("apart", APART)
def test_training_and_evaluation_stand_apart(imports: list[Import], apart: str) -> None:
    strays = [
        i.where
        for i in imports
        if i.reaches(apart)
        and not any(i.stands_in(package) for package in APART)
        and not (i.module == "engine.commands" and i.lazy)
    ]
    assert strays == []


WATCH = """
import json, os, sys, threading, time
events = []
WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT
def watch(event, args):
    if event == "open" and isinstance(args[2], int) and args[2] & WRITES:
        events.append(f"opened {args[0]} to write")
    elif event.startswith(("socket.", "subprocess.")):
        events.append(event)
start_thread = threading.Thread.start
def watched_start(thread):
    events.append("started a thread")
    start_thread(thread)
threading.Thread.start = watched_start
sys.addaudithook(watch)
start = time.perf_counter()
for name in sys.argv[1:]:
    __import__(name)
print(json.dumps({
    "seconds": time.perf_counter() - start,
    "events": events,
    "modules": sorted({name.split(".")[0] for name in sys.modules}),
}))
"""


def imported_alone(*names: str) -> dict[str, object]:
    done = subprocess.run(
        [sys.executable, "-B", "-c", WATCH, *names],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    report: dict[str, object] = json.loads(done.stdout)
    return report


@pytest.mark.parametrize("package", PACKAGES)
def test_bare_import_opens_nothing(package: str) -> None:
    report = imported_alone(package)
    assert report["events"] == []
    assert "torch" not in report["modules"]  # type: ignore[operator]
    assert report["seconds"] < 1.0  # type: ignore[operator]


def test_watcher_sees_what_it_watches_for(tmp_path: Path) -> None:
    """The test above can fail: a module that does all of it is caught."""
    (tmp_path / "noisy.py").write_text(
        "import socket, threading, pathlib\n"
        "socket.socket().close()\n"
        "threading.Thread(target=int).start()\n"
        f"pathlib.Path({str(tmp_path / 'out')!r}).write_text('x')\n"
    )
    done = subprocess.run(
        [sys.executable, "-B", "-c", WATCH, "noisy"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    events = json.loads(done.stdout)["events"]
    assert any(event.startswith("socket.") for event in events)
    assert "started a thread" in events
    assert any(str(event).startswith("opened") for event in events)
