"""What a person sees: progress and tables; plain and quiet when it goes into a pipe."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import click
from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from plugin_host.render import OnStage, Rendered
from plugin_host.take import SAMPLE_RATE

HEAD = ("file", "source", "seconds", "peak dBFS", "chain")


@contextmanager
def progress_bar(quiet: bool) -> Iterator[OnStage]:
    """A bar on stderr while the block runs; nothing when ``quiet`` or without a terminal."""
    console = Console(stderr=True)
    if quiet or not console.is_terminal:
        yield lambda what, fraction: None
        return
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task("Start", total=1.0)

        def on_stage(what: str, fraction: float) -> None:
            bar.update(task, description=f"{what[:40]:<40}", completed=fraction)

        yield on_stage


def show_rendered(rendered: Rendered) -> None:
    """The table of what was written, and what the user should know."""
    delivery = rendered.delivery
    rows = [
        (
            file.path.name,
            file.label,
            f"{file.length_samples / SAMPLE_RATE:.2f}",
            decibels(file.peak_dbfs),
            file.chain,
        )
        for file in delivery.files
    ]
    show_table(HEAD, rows, right={2, 3})
    extra = [delivery.sidecar, *([rendered.picture] if rendered.picture else [])]
    click.echo(f"in {delivery.folder}, with " + " and ".join(path.name for path in extra))
    for note in delivery.notes:
        click.echo(note, err=True)


def show_table(
    head: Sequence[str], rows: Sequence[Sequence[str]], right: frozenset[int] | set[int]
) -> None:
    """A table in a terminal; tab-separated lines in a pipe. ``right``: columns of numbers."""
    console = Console()
    if not console.is_terminal:
        for row in (head, *rows):
            click.echo("\t".join(row))
        return
    table = Table(header_style="bold")
    for index, title in enumerate(head):
        table.add_column(title, justify="right" if index in right else "left", overflow="fold")
    for row in rows:
        table.add_row(*(Text(cell) for cell in row))
    console.print(table)


def rendered_document(rendered: Rendered) -> dict[str, Any]:
    """The same for a program."""
    delivery = rendered.delivery
    return {
        "take": rendered.take.id,
        "scene": rendered.take.scene_id,
        "folder": str(delivery.folder.absolute()),
        "sidecar": delivery.sidecar.name,
        "picture": rendered.picture.name if rendered.picture else None,
        "trim_db": delivery.trim_db,
        "notes": list(delivery.notes),
        "timings_s": {name: round(value, 3) for name, value in rendered.timings_s.items()},
        "files": [
            {
                "file": file.path.name,
                "role": file.role,
                "source": file.label,
                "cat_id": file.cat_id,
                "seconds": file.length_samples / SAMPLE_RATE,
                "channels": file.channels,
                "start_sample": file.start_sample,
                "peak_dbfs": file.peak_dbfs if math.isfinite(file.peak_dbfs) else None,
                "chain": file.chain,
                "sha256": file.sha256,
            }
            for file in delivery.files
        ],
    }


def show_json(document: Any) -> None:
    click.echo(json.dumps(document, indent=1, ensure_ascii=False, allow_nan=False))


def decibels(value: float) -> str:
    """One decimal; silence is ``-inf``."""
    return f"{value:.1f}" if math.isfinite(value) else "-inf"
