"""``wildtrack completion bash|zsh|fish``."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

VARIABLE = "_WILDTRACK_COMPLETE"
SET_UP = {
    "bash": 'eval "$(wildtrack completion bash)" in ~/.bashrc',
    "zsh": 'eval "$(wildtrack completion zsh)" in ~/.zshrc',
    "fish": "wildtrack completion fish > ~/.config/fish/completions/wildtrack.fish",
}


@click.command(epilog="\b\nTo keep it:\n" + "\n".join(f"  {line}" for line in SET_UP.values()))
@click.argument("shell", type=click.Choice(list(SET_UP)))
@click.pass_context
def completion(ctx: click.Context, shell: str) -> None:
    """Print the completion script of SHELL (bash 4.4 or later, zsh, fish)."""
    script = get_completion_class(shell)
    if script is None:
        raise click.UsageError(f"this version of click knows no completion for {shell}", ctx)
    root = ctx.find_root()
    click.echo(script(root.command, {}, "wildtrack", VARIABLE).source())
