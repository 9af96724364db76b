"""The engine's part of the command line: options, one call into the library, a table or JSON.

Everything heavy is imported inside the commands, so that ``--help`` is immediate.
"""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from engine.bench import Comparison

JSON_HELP = "Print JSON for a program to read."

_existing_folder = click.Path(exists=True, file_okay=False, path_type=Path)
_session_folder = click.Path(file_okay=False, path_type=Path)


def _pack_options(command: Callable[..., Any]) -> Callable[..., Any]:
    pack = click.option("--pack", help="Name or folder of the model pack.  [default: starter]")
    device = click.option("--device", help="cpu, cuda or mps.  [default: cpu]")
    return pack(device(command))


@click.command()
@click.option(
    "--session",
    type=_session_folder,
    required=True,
    envvar="WILDTRACK_SESSION",
    help="Folder of the session; made if it is not there.",
)
@click.option("--port", type=int, help="UDP port on loopback.  [default: any free one]")
@click.option("--tcp-port", type=int, help="TCP port on loopback.  [default: any free one]")
@_pack_options
@click.option("--precision", help="fp32, bf16, fp16 or auto, for the generator.  [default: auto]")
@click.option(
    "--compile/--no-compile",
    default=None,
    help="Run torch.compile over the generator.  [default: the device's own]",
)
@click.option(
    "--memory-budget-gb",
    type=float,
    help="Memory for loaded packs; unused ones make room.  [default: no limit]",
)
@click.option(
    "--stems-gb",
    type=float,
    help="Disk space for stems that no take needs; the oldest go first.  [default: 8]",
)
@click.option(
    "--allow",
    type=_existing_folder,
    multiple=True,
    help="Folder that clients may name files in, beside the session; may be repeated.",
)
@click.option(
    "--bind",
    metavar="ADDRESS",
    help="Serve other machines, too, at this address of yours; needs a token.",
)
@click.option(
    "--token-file",
    type=click.Path(dir_okay=False, path_type=Path),
    help="File with the token that other machines must give.  [or WILDTRACK_TOKEN]",
)
@click.option(
    "--mdns/--no-mdns", default=None, help="Announce the engine in the network.  [default: no]"
)
@click.option(
    "--oscquery/--no-oscquery",
    default=None,
    help="Show controllers what there is, by HTTP on loopback.  [default: yes]",
)
@click.option("--http-port", type=int, help="TCP port of OSCQuery.  [default: any free one]")
@click.option(
    "--until-stdin-closes",
    is_flag=True,
    hidden=True,
    help="End at the end of standard input, for a program that starts an engine of its own.",
)
def engine(session: Path, until_stdin_closes: bool, **options: Any) -> None:
    """Serve a session folder over OSC, with the models warm.

    Prints a line of JSON with the ports when it answers, another when it can render, then serves
    until a client says quit or it gets SIGINT, SIGTERM or SIGHUP. The log goes to standard error.
    """
    from engine.config import Flags, resolve_config  # noqa: PLC0415

    config = resolve_config(session, Flags(**options), os.environ)

    from engine.run import run_engine, say_on_stdout  # noqa: PLC0415

    _log_to_stderr()
    run_engine(config, say_on_stdout, until_stdin_closes=until_stdin_closes)


def _log_to_stderr() -> None:
    """Log with time and level; a supervisor keeps what comes."""
    from engine.log_lines import PlainLines  # noqa: PLC0415

    handler = logging.StreamHandler()
    handler.setFormatter(PlainLines())
    logging.basicConfig(handlers=[handler], level=logging.INFO)


@click.group()
def models() -> None:
    """List, verify and compare model packs."""


@models.command()
@click.argument("directory", type=_existing_folder)
@click.option("--json", "as_json", is_flag=True, help=JSON_HELP)
def parity(directory: Path, as_json: bool) -> None:
    """Compare our modules with the published numbers in DIRECTORY; exit 1 if one differs."""
    from engine.cmss.parity import TOLERANCE, run_parity  # noqa: PLC0415

    rows = run_parity(directory)
    if as_json:
        _echo_json([{**asdict(row), "max_abs_error": _number(row.max_abs_error)} for row in rows])
    else:
        cells = [
            (row.tensor, "x".join(map(str, row.shape)), f"{row.max_abs_error:.2e}", _mark(row.ok))
            for row in rows
        ]
        _echo_table(("tensor", "shape", "max abs error", "ok"), cells)
        good = sum(row.ok for row in rows)
        click.echo(f"{good} of {len(rows)} tensors within {TOLERANCE:g}")
    if not rows or not all(row.ok for row in rows):
        raise click.exceptions.Exit(1)


@models.command("list")
@click.option("--json", "as_json", is_flag=True, help=JSON_HELP)
def list_models(as_json: bool) -> None:
    """List the model packs inside the install."""
    from engine.models.pack import find_pack, installed_packs, read_manifest  # noqa: PLC0415

    packs = [read_manifest(find_pack(name)) for name in installed_packs()]
    if as_json:
        _echo_json([{**asdict(pack), "digest": pack.digest} for pack in packs])
        return
    _echo_table(
        ("pack", "version", "kind", "licence", "rate, bandwidth", "digest"),
        [
            (p.name, p.version, p.kind, p.licence, _band(p.sample_rate, p.bandwidth_hz), p.digest)
            for p in packs
        ],
    )


@models.command("verify")
@click.argument("pack", default="")
@click.option("--json", "as_json", is_flag=True, help=JSON_HELP)
def verify_models(pack: str, as_json: bool) -> None:
    """Check every file of PACK (a name or folder; all packs without it) by its SHA-256."""
    from engine.models.pack import find_pack, installed_packs, read_manifest, verify  # noqa: PLC0415

    rows = []
    for name in [pack] if pack else installed_packs():
        folder = find_pack(name)
        manifest = read_manifest(folder)
        verify(folder, manifest)
        rows.append((manifest.name, manifest.version, len(manifest.files), str(folder)))
    if as_json:
        keys = ("pack", "version", "files", "folder")
        _echo_json([{**dict(zip(keys, row, strict=True)), "ok": True} for row in rows])
        return
    _echo_table(
        ("pack", "version", "files", "ok"),
        [(name, version, str(count), "ok") for name, version, count, _ in rows],
    )


@click.group()
def bench() -> None:
    """Measure Cycle Mix and rendering on this machine."""


@bench.command("cycle-mix")
@click.option(
    "--sources",
    type=click.IntRange(1, 64),
    default=6,
    show_default=True,
    help="Sources in the scene.",
)
@click.option("--json", "as_json", is_flag=True, help=JSON_HELP)
def cycle_mix(sources: int, as_json: bool) -> None:
    """Time Cycle Mix at the released size against the plain loop."""
    from engine.cmss.bench import run_cycle_mix_bench  # noqa: PLC0415

    result = run_cycle_mix_bench(sources=sources)
    if as_json:
        _echo_json(result.to_dict())
    else:
        click.echo(result.summary())


@bench.command("render")
@_pack_options
@click.option(
    "--seconds",
    type=click.FloatRange(0.3, 10.0),
    default=4.0,
    show_default=True,
    help="Length of the stem.",
)
@click.option(
    "--repeats",
    type=click.IntRange(1, 100),
    default=5,
    show_default=True,
    help="Warm stems of each quality; the median is said.",
)
@click.option("--precision", help="Measure fp32, bf16 or fp16, too, in turn with the plain way.")
@click.option(
    "--compile",
    "compiled",
    is_flag=True,
    help="Measure torch.compile, too, in turn with the plain way.",
)
@click.option("--json", "as_json", is_flag=True, help=JSON_HELP)
def bench_render(
    pack: str | None,
    device: str | None,
    seconds: float,
    repeats: int,
    precision: str | None,
    compiled: bool,
    as_json: bool,
) -> None:
    """Time one stem from cold and warm, preview and final; print the memory."""
    from engine.config import DEFAULT_PACK, check_device  # noqa: PLC0415
    from engine.models.options import AUTO, options_for  # noqa: PLC0415
    from engine.threads import sleep_while_waiting  # noqa: PLC0415

    sleep_while_waiting()
    place = device or "cpu"
    check_device(place)
    other = options_for(place, precision or AUTO, compiled) if precision or compiled else None

    from engine.bench import run_render_bench  # noqa: PLC0415

    result = run_render_bench(pack or DEFAULT_PACK, place, seconds, repeats, other)
    if as_json:
        _echo_json(asdict(result))
        return
    _echo_table(
        ("figure", "value"),
        [
            ("pack", f"{result.pack} on {result.device}, {result.threads} threads"),
            ("load the pack", f"{result.load_s:.2f} s"),
            (f"{seconds:g} s stem, cold (with loading)", f"{result.cold_s:.2f} s"),
            (f"{seconds:g} s stem, warm, final", f"{result.final_s:.2f} s"),
            (f"{seconds:g} s stem, warm, preview", f"{result.preview_s:.2f} s"),
            ("memory", f"{result.memory_bytes / 1e6:.0f} MB"),
            *_compared(result.compared),
        ],
    )


def _compared(other: Comparison | None) -> list[tuple[str, str]]:
    if other is None:
        return []
    name = f"{other.precision}{', compiled' if other.compiled else ''}"
    return [
        (f"{name}: first stem", f"{other.warm_up_s:.2f} s"),
        (f"{name}: final", f"{other.final_s:.2f} s, {other.final_ratio:.2f} of the plain way"),
        (
            f"{name}: preview",
            f"{other.preview_s:.2f} s, {other.preview_ratio:.2f} of the plain way",
        ),
        (f"{name}: apart from the plain way by", f"{other.mel_error_db:.2f} dB"),
    ]


def _band(sample_rate: int, bandwidth_hz: int) -> str:
    return f"{sample_rate} Hz, {bandwidth_hz} Hz"


def _mark(ok: bool) -> str:
    return "ok" if ok else "NO"


def _number(value: float) -> float | None:
    """JSON has no infinity: null stands for what could not be compared."""
    return value if value < float("inf") else None


def _echo_json(value: Mapping[str, Any] | Sequence[Any]) -> None:
    click.echo(json.dumps(value, indent=1, ensure_ascii=False, allow_nan=False))


def _echo_table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print a table; plain lines separated by tabs when the output is not a terminal."""
    from rich.console import Console  # noqa: PLC0415
    from rich.table import Table  # noqa: PLC0415

    console = Console()
    if not console.is_terminal:
        for row in (head, *rows):
            click.echo("\t".join(row))
        return
    table = Table(*head)
    for row in rows:
        table.add_row(*row)
    console.print(table)
