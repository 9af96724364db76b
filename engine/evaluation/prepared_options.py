"""Options of the commands that read what ``wildtrack train data`` made."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import click

SPLITS: Final = ("train", "judge", "valid", "test")
folder = click.Path(file_okay=False, path_type=Path)
data_option = click.option(
    "--data",
    type=folder,
    required=True,
    multiple=True,
    help="What wildtrack train data made; may be given several times.",
)
split_option = click.option(
    "--split",
    type=click.Choice(SPLITS),
    default="test",
    show_default=True,
    help="Its samples are taken; models have met those of train.",
)
