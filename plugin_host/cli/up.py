"""``wildtrack up``: the options of ``wildtrack engine``, and an engine that comes back."""

from __future__ import annotations

import json
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

import click

_OPTIONS: Final = "plugin_host.cli.up.options"
_OURS: Final = "until_stdin_closes"
"""What a supervisor always asks of its engine."""


class EngineOptions(click.Command):
    """Takes what ``wildtrack engine`` takes, and keeps the words to hand them on."""

    def get_params(self, ctx: click.Context) -> list[click.Parameter]:
        """The engine's own options, declared in one place."""
        from engine.commands import engine  # noqa: PLC0415

        theirs = [parameter for parameter in engine.params if parameter.name != _OURS]
        return [*theirs, *super().get_params(ctx)]

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Check them here, where a mistake is a usage error."""
        ctx.meta[_OPTIONS] = tuple(args)
        return super().parse_args(ctx, args)


@click.command(cls=EngineOptions)
@click.pass_context
def up(ctx: click.Context, /, session: Path, **_: Any) -> None:
    """Serve a session folder as `engine` does, and start the engine again when it dies or hangs.

    Prints one line of JSON with the ports when the engine serves, and one after each restart; the
    ports stay the same. Ends with the engine when a client says quit, or with SIGINT, SIGTERM or
    SIGHUP. What happened is in SESSION/logs and in `wildtrack doctor --session SESSION`.
    """
    from plugin_host.supervisor import Supervisor, Voice  # noqa: PLC0415

    Supervisor(session, ctx.meta[_OPTIONS], Voice(_report, _tell)).run()


def _report(document: dict[str, Any]) -> None:
    with suppress(BrokenPipeError):
        sys.stdout.write(json.dumps(document) + "\n")
        sys.stdout.flush()


def _tell(sentence: str) -> None:
    with suppress(BrokenPipeError):
        click.echo(f"wildtrack up: {sentence}", err=True)
