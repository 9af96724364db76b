"""``wildtrack doctor``: what is here, what is missing, and the cure of each."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict
from importlib import metadata
from pathlib import Path

import click

from engine import checks
from engine.checks import Finding
from plugin_host.cli import machine

COLOURS = {"ok": "green", "warn": "yellow", "fail": "red"}


@click.command()
@click.option(
    "--session",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path(),
    help="The session folder to look at; the current folder if not given.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the findings as JSON.")
@click.pass_context
def doctor(ctx: click.Context, session: Path, as_json: bool) -> None:
    """Check this machine: each row is ok, warn or fail, with its cure.

    Ends with 1 if something that rendering needs has failed, else with 0.
    """
    found = list(findings(session))
    healthy = all(row.status != "fail" for row in found)
    if as_json:
        click.echo(json.dumps(_document(found, healthy), indent=2))
    else:
        _print(found)
    ctx.exit(0 if healthy else 1)


def findings(session: Path) -> Iterator[Finding]:
    """Every row, in the order in which it is shown."""
    yield machine.check_python()
    yield from machine.check_packages()
    yield from machine.check_libraries()
    yield checks.check_device()
    yield from checks.check_packs()
    yield machine.check_folder(session)
    yield machine.check_disk(session)
    yield from machine.check_ports()
    yield from machine.check_engine(session)
    yield from machine.check_restarts(session)
    yield machine.check_portaudio()
    yield from machine.check_extras()


def _document(found: list[Finding], healthy: bool) -> dict[str, object]:
    return {
        "wildtrack": metadata.version(machine.DISTRIBUTION),
        "ok": healthy,
        "findings": [asdict(row) for row in found],
    }


def _print(found: list[Finding]) -> None:
    """Plain lines, never wrapped: a cure can be copied as it stands."""
    width = max(len(row.part) for row in found)
    for row in found:
        mark = click.style(f"{row.status:<4}", fg=COLOURS[row.status], bold=True)
        click.echo(f"{mark}  {row.part:<{width}}  {row.detail}")
        if row.cure:
            click.echo(f"      {'':<{width}}  " + click.style(f"cure: {row.cure}", dim=True))
