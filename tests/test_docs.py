"""What README and docs say is true: commands, options, targets, links, exit codes, files."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from osc_bridge import errors
from plugin_host.cli import main
from plugin_host.cli.table import COMMANDS

ROOT = Path(__file__).parent.parent
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\(([^)#]+)(?:#[^)]*)?\)")
FILE_NAMED = re.compile(r"`((?:engine|osc_bridge|plugin_host|presets|tests|docs)/[\w./-]+)`")


def blocks(page: Path, language: str) -> list[str]:
    text = page.read_text(encoding="utf-8")
    return [code for found, code in FENCE.findall(text) if found == language]


def shell_lines() -> Iterator[tuple[str, list[str]]]:
    """Every command of every bash block: its page, its words without comments and assignments."""
    for page in PAGES:
        for code in blocks(page, "bash"):
            for line in code.replace("\\\n", " ").splitlines():
                words = shlex.split(line, comments=True)
                if words:
                    yield page.name, words


COMMAND_LINES = list(shell_lines())


def _id(value: object) -> str | None:
    return " ".join(value)[:60] if isinstance(value, list) else None


@pytest.mark.parametrize(("page", "words"), COMMAND_LINES, ids=_id)
def test_shell_line_is_true(page: str, words: list[str]) -> None:
    program = words[0].removeprefix(".venv/bin/")
    if program == "make":
        check_make(words[1:])
    elif program == "wildtrack":
        check_wildtrack(words[1:])
    elif program == "python":
        assert (ROOT / words[1]).is_file(), words[1]
    else:
        assert program in {"git", "cd", "source"}, f"{page}: no test knows {program!r}"


def check_make(words: list[str]) -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z]+):", makefile, re.MULTILINE))
    variables = set(re.findall(r"^([A-Z_]+) \?=", makefile, re.MULTILINE))
    for word in words:
        name, assigned, _ = word.partition("=")
        assert name in (variables if assigned else targets), word


def check_wildtrack(words: list[str]) -> None:
    command: click.Command = main
    context = click.Context(command)
    for word in words:
        if isinstance(command, click.Group) and not word.startswith("-"):
            found = command.get_command(context, word)
            assert found is not None, f"{' '.join(words)}: no command {word}"
            command = found
        elif word.startswith("--"):
            offered = {opt for parameter in command.get_params(context) for opt in parameter.opts}
            offered |= {
                opt for parameter in command.get_params(context) for opt in parameter.secondary_opts
            }
            assert word.partition("=")[0] in offered | {"--help"}, f"{' '.join(words)}: {word}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    targets = LINK.findall(page.read_text(encoding="utf-8"))
    inside = [target for target in targets if not target.startswith(("http://", "https://"))]
    assert [target for target in inside if not (page.parent / target).exists()] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_files_named_exist(page: Path) -> None:
    named = set(FILE_NAMED.findall(page.read_text(encoding="utf-8")))
    assert [name for name in named if not (ROOT / name).exists()] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_nothing_is_left_to_fill_in(page: Path) -> None:
    """The words below are what is looked for, and stand nowhere but here."""
    text = page.read_text(encoding="utf-8")
    assert re.findall(r"TODO|TBD|FIXME|\?\?\?|lorem|XX+\b", text) == []


def test_readme_begins_with_the_two_commands() -> None:
    first = blocks(ROOT / "README.md", "bash")[0].splitlines()
    commands = [shlex.split(line, comments=True) for line in first]
    assert ["make", "demo"] in commands
    assert ["make", "test"] in commands


def test_readme_shows_every_command() -> None:
    shown = {words[1] for _, words in COMMAND_LINES if words[0].endswith("wildtrack") and words[1:]}
    assert set(COMMANDS) <= shown


def test_readme_lists_the_exit_codes() -> None:
    rows = re.findall(r"^\| (\d+) \|", (ROOT / "README.md").read_text("utf-8"), re.MULTILINE)
    kinds = [errors.WildtrackError]
    codes = {0, 2}
    while kinds:
        kind = kinds.pop()
        codes.add(kind.exit_code)
        kinds += [sub for sub in kind.__subclasses__() if sub.__module__ == errors.__name__]
    assert {int(row) for row in rows} == codes
