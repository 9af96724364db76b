"""The root command: lazy commands, one sentence for each error, exit codes."""

from __future__ import annotations

import importlib.metadata
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from osc_bridge import errors
from plugin_host.cli import main, root
from plugin_host.cli.table import COMMANDS, Entry

Invoke = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def runner(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> CliRunner:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.delenv("WILDTRACK_DEBUG", raising=False)
    return CliRunner()


@pytest.fixture
def failing(monkeypatch: pytest.MonkeyPatch) -> Callable[[BaseException], None]:
    """Make the command `demo` raise what the test gives it."""

    def install(error: BaseException) -> None:
        @click.command()
        def demo() -> None:
            raise error

        monkeypatch.setattr(sys.modules[__name__], "demo", demo, raising=False)
        monkeypatch.setitem(COMMANDS, "demo", Entry("demo", f"{__name__}:demo", "x"))

    return install


def every_error() -> list[type[errors.WildtrackError]]:
    found, waiting = [], [errors.WildtrackError]
    while waiting:
        kind = waiting.pop()
        found.append(kind)
        waiting += kind.__subclasses__()
    return [kind for kind in found if kind.__module__ == errors.__name__]


@pytest.mark.parametrize("kind", every_error(), ids=lambda kind: kind.__name__)
def test_known_error_is_one_sentence_and_its_exit_code(
    runner: CliRunner, failing: Callable[[BaseException], None], kind: type[errors.WildtrackError]
) -> None:
    failing(kind("the weight is 7; give 0 to 4"))
    result = runner.invoke(main, ["demo"])
    assert result.exit_code == kind.exit_code
    assert result.stderr == "wildtrack: the weight is 7; give 0 to 4\n"
    assert result.stdout == ""


def test_debug_shows_the_trace_of_a_known_error(
    runner: CliRunner, failing: Callable[[BaseException], None]
) -> None:
    failing(errors.BadImage("no picture"))
    assert "Traceback" in runner.invoke(main, ["--debug", "demo"]).stderr
    assert "Traceback" not in runner.invoke(main, ["demo"]).stderr


@pytest.mark.parametrize("interrupt", [KeyboardInterrupt(), click.Abort()])
def test_interrupt_is_quiet(
    runner: CliRunner, failing: Callable[[BaseException], None], interrupt: BaseException
) -> None:
    failing(interrupt)
    result = runner.invoke(main, ["demo"])
    assert result.exit_code == 130
    assert result.stderr == "wildtrack: cancelled\n"


def test_defect_says_where_its_trace_is(
    runner: CliRunner, failing: Callable[[BaseException], None], tmp_path: Path
) -> None:
    failing(RuntimeError("two\nlines"))
    result = runner.invoke(main, ["demo"])
    assert result.exit_code == 1
    assert result.stderr.count("\n") == 1
    assert "RuntimeError: two lines" in result.stderr
    (trace,) = (tmp_path / "state" / "wildtrack").iterdir()
    assert str(trace) in result.stderr
    assert "Traceback" in trace.read_text(encoding="utf-8")


def test_defect_without_a_place_for_its_trace(
    runner: CliRunner,
    failing: Callable[[BaseException], None],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "file"))
    failing(RuntimeError("x"))
    assert "wildtrack --debug" in runner.invoke(main, ["demo"]).stderr


def test_broken_pipe_is_quiet(runner: CliRunner, failing: Callable[[BaseException], None]) -> None:
    failing(BrokenPipeError(32, "Broken pipe"))
    result = runner.invoke(main, ["demo"])
    assert result.stderr == ""
    assert result.exit_code == 1


@pytest.mark.parametrize("arguments", [["rendr"], ["--nothing"], ["completion", "tcsh"]])
def test_usage_errors_end_with_2(runner: CliRunner, arguments: list[str]) -> None:
    assert runner.invoke(main, arguments).exit_code == 2


def test_misspelt_command_names_the_nearest(runner: CliRunner) -> None:
    assert "'render'" in runner.invoke(main, ["rendr"]).stderr


def test_version(runner: CliRunner) -> None:
    expected = importlib.metadata.version("wildtrack")
    assert runner.invoke(main, ["--version"]).stdout == f"wildtrack {expected}\n"


def test_help_lists_every_command_and_exit_code(runner: CliRunner) -> None:
    text = runner.invoke(main, ["--help"]).stdout
    for entry in COMMANDS.values():
        assert entry.name in text
        assert entry.help in text
    for kind in every_error():
        assert f"{kind.exit_code} " in text


def test_help_is_quick_and_loads_no_command() -> None:
    script = (
        "import sys\nfrom plugin_host.cli import main\n"
        "try:\n    main(['--help'])\nexcept SystemExit: pass\n"
        "heavy = {'torch', 'numpy', 'pedalboard', 'rich', 'engine', 'PIL'} & set(sys.modules)\n"
        "sys.exit(', '.join(heavy) or 0)"
    )
    start = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert time.perf_counter() - start < 2.0


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help(runner: CliRunner, name: str) -> None:
    """Recursively: a command that cannot be loaded, or an option without a word, shows here."""

    def visit(command: click.Command, path: list[str]) -> None:
        result = runner.invoke(main, [*path, "--help"])
        assert result.exit_code == 0, result.output
        for parameter in command.params:
            if isinstance(parameter, click.Option) and not parameter.hidden:
                assert parameter.help, f"{' '.join(path)} {parameter.opts}"
        if isinstance(command, click.Group):
            for child, sub in command.commands.items():
                visit(sub, [*path, child])

    command = main.get_command(click.Context(main), name)
    assert command is not None
    assert command.help
    visit(command, [name])


def test_entry_that_is_no_command_is_a_defect(
    runner: CliRunner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(COMMANDS, "demo", Entry("demo", f"{root.__name__}:PROGRAM", "x"))
    result = runner.invoke(main, ["demo"])
    assert result.exit_code == 1
    assert "not a click command" in result.stderr
