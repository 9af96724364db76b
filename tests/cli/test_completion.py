"""Completion scripts, and what they answer."""

from __future__ import annotations

import subprocess
import sys

import pytest
from click.testing import CliRunner

from plugin_host.cli import main
from plugin_host.cli.completion import SET_UP, VARIABLE
from plugin_host.cli.table import COMMANDS


@pytest.mark.parametrize("shell", SET_UP)
def test_script_is_for_this_shell_and_program(shell: str) -> None:
    script = CliRunner().invoke(main, ["completion", shell]).stdout
    assert f"{VARIABLE}={shell}_complete" in script
    assert "wildtrack" in script


def test_bash_accepts_its_script() -> None:
    script = CliRunner().invoke(main, ["completion", "bash"]).stdout
    done = subprocess.run(["bash", "-n"], input=script, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize(("begun", "index"), [("", 1), ("de", 1)])
def test_commands_complete_without_being_loaded(begun: str, index: int) -> None:
    script = (
        "import sys\nfrom plugin_host.cli import main\n"
        "try:\n    main(prog_name='wildtrack')\nexcept SystemExit: pass\n"
        "sys.exit('loaded' if {'torch', 'engine', 'pedalboard'} & set(sys.modules) else 0)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        env={
            VARIABLE: "bash_complete",
            "COMP_WORDS": f"wildtrack {begun}",
            "COMP_CWORD": str(index),
        },
        capture_output=True,
        text=True,
        check=True,
    )
    offered = {line.split(",")[1] for line in done.stdout.splitlines()}
    assert {name for name in COMMANDS if name.startswith(begun)} <= offered
    assert all(word.startswith(begun) for word in offered)
