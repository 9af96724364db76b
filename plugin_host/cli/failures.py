"""What a failed command says: one sentence on stderr; a trace only on request or in a file."""

from __future__ import annotations

import os
import time
import traceback
from pathlib import Path

import click

from osc_bridge.errors import WildtrackError

UNEXPECTED = 1
CANCELLED = 130


def state_folder() -> Path:
    """Where traces are kept: $XDG_STATE_HOME/wildtrack, else ~/.local/state/wildtrack."""
    base = os.environ.get("XDG_STATE_HOME")
    return (Path(base) if base else Path.home() / ".local" / "state") / "wildtrack"


def report_known(error: WildtrackError, *, debug: bool) -> None:
    """An error that the program foresaw: its own sentence names the value and the cure."""
    if debug:
        _echo_trace(error)
    _say(str(error) or error.name)


def report_unexpected(error: Exception, *, debug: bool) -> None:
    """A defect of ours: name it, and say where its trace is."""
    if debug:
        _echo_trace(error)
    what = " ".join(f"{type(error).__name__}: {error}".split())
    _say(f"{what[:300]}: this is a defect of wildtrack. {_kept_trace(error)}")


def _say(sentence: str) -> None:
    click.echo(click.style("wildtrack: ", fg="red", bold=True) + sentence, err=True)


def _echo_trace(error: Exception) -> None:
    click.echo("".join(traceback.format_exception(error)), err=True, nl=False)


def _kept_trace(error: Exception) -> str:
    path = state_folder() / f"trace-{time.strftime('%Y%m%d-%H%M%S')}-{os.getpid()}.txt"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("".join(traceback.format_exception(error)), encoding="utf-8")
    except OSError:
        return "Run it again as wildtrack --debug to see the trace."
    return f"The trace is in {path}; please report it."
