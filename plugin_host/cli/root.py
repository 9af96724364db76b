"""The root of the command line: lazy commands, one sentence for each error, exit codes."""

from __future__ import annotations

import difflib
import importlib
from collections.abc import Iterator
from typing import Any

import click
from click.shell_completion import CompletionItem

from osc_bridge.errors import WildtrackError
from plugin_host.cli.failures import CANCELLED, UNEXPECTED, report_known, report_unexpected
from plugin_host.cli.table import COMMANDS, SECTIONS

PROGRAM = "wildtrack"
EPILOG = """\b
Exit codes: 0 done, 1 a check failed or a defect of ours, 2 usage, 3 input
(a file, text or value), 4 scene, 5 model, 6 engine or protocol, 130 cancelled.
"""


class LazyGroup(click.Group):
    """Commands come from the table and are imported when called; errors end in exit codes."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        entry = COMMANDS.get(cmd_name)
        if entry is None:
            return None
        module, attribute = entry.target.split(":")
        command = getattr(importlib.import_module(module), attribute)
        if not isinstance(command, click.Command):
            raise TypeError(f"{entry.target} is a {type(command).__name__}, not a click command")
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        name = args[0]
        if name not in COMMANDS and not name.startswith("-"):
            close = difflib.get_close_matches(name, COMMANDS, n=1)
            hint = f"did you mean {close[0]!r}?" if close else f"see {PROGRAM} --help."
            raise click.UsageError(f"there is no command {name!r}: {hint}", ctx)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        width = max(len(name) for name in COMMANDS)
        for title, entries in SECTIONS.items():
            with formatter.section(click.style(title, bold=True)):
                formatter.write_dl(
                    [(click.style(f"{e.name:<{width}}", fg="cyan"), e.help) for e in entries]
                )

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        return list(_matching(incomplete)) + click.Command.shell_complete(self, ctx, incomplete)

    def invoke(self, ctx: click.Context) -> Any:
        debug = bool(ctx.params.get("debug"))
        try:
            return super().invoke(ctx)
        except (KeyboardInterrupt, click.Abort):
            click.echo(f"{PROGRAM}: cancelled", err=True)
            ctx.exit(CANCELLED)
        except WildtrackError as error:
            report_known(error, debug=debug)
            ctx.exit(error.exit_code)
        except (click.ClickException, click.exceptions.Exit, BrokenPipeError):
            raise
        except Exception as error:
            report_unexpected(error, debug=debug)
            ctx.exit(UNEXPECTED)


def _matching(incomplete: str) -> Iterator[CompletionItem]:
    for entry in COMMANDS.values():
        if entry.name.startswith(incomplete):
            yield CompletionItem(entry.name, help=entry.help)


@click.group(
    PROGRAM, cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]}, epilog=EPILOG
)
@click.option("--debug", is_flag=True, envvar="WILDTRACK_DEBUG", help="Show the trace of an error.")
@click.version_option(package_name=PROGRAM, message="%(prog)s %(version)s")
def main(debug: bool) -> None:
    """Turn frames, words and sounds into separately playable stems."""
