"""The picture of a delivery: what was seen, and what of it sounds."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Final

import numpy as np
import soundfile
from PIL import Image

from osc_bridge.errors import BadImage
from plugin_host.items import DeliveredFile, Delivery
from plugin_host.sheet import COLOURS, MIX_COLOUR, FramedBox, Sheet, Track, sheet_png
from plugin_host.take import Take, inside
from presets.files import write_whole

MAX_TRACKS: Final = 16
MAX_PIXELS: Final = 100_000_000
SHOWN_PIXELS: Final = (1600, 1200)


def draw_delivery(take: Take, delivery: Delivery) -> Path:
    """Write the PNG beside the delivered mix and return its path.

    Shows at most ``MAX_TRACKS`` sounds, the mix always. BadImage when the frame is unreadable.
    """
    shown = _shown(delivery.files)
    colours = {file.source_id: COLOURS[i % len(COLOURS)] for i, file in enumerate(delivery.files)}
    colours[""] = MIX_COLOUR
    frame, size = _frame(take)
    sheet = Sheet(
        title=take.scene_name or take.id,
        detail=_detail(take, len(delivery.files) - len(shown)),
        tracks=tuple(_track(file, take, colours[file.source_id]) for file in shown),
        frame=frame,
        frame_size=size,
        boxes=_boxes(take, colours),
        source=f"generated, pack {take.pack.name} {take.pack.digest}",
    )
    path = delivery.sidecar.with_suffix(".png")
    write_whole(path, sheet_png(sheet), overwrite=False)
    return path


def _shown(files: tuple[DeliveredFile, ...]) -> list[DeliveredFile]:
    *stems, mix = files
    return [*stems[: MAX_TRACKS - 1], mix]


def _detail(take: Take, left_out: int) -> str:
    more = f"; {left_out} more stems not shown" if left_out else ""
    return (
        f"take {take.id}, {take.stems_mode} stems, {take.quality}, "
        f"pack {take.pack.name} {take.pack.version}{more}"
    )


def _track(file: DeliveredFile, take: Take, colour: str) -> Track:
    audio, rate = soundfile.read(file.path, dtype="float32", always_2d=True)
    width = "stereo" if file.channels == 2 else "mono"
    peak = f"{file.peak_dbfs:.1f} dBFS" if math.isfinite(file.peak_dbfs) else "silent"
    return Track(
        title=file.label,
        detail=f"{file.cat_id}, {width}, {file.chain}\npeak {peak}",
        audio=np.ascontiguousarray(audio.T),
        sample_rate=rate,
        start_s=(file.start_sample - take.scene_start_sample) / rate,
        colour=colour,
    )


def _boxes(take: Take, colours: dict[str, str]) -> tuple[FramedBox, ...]:
    """Boxes of the sources that were cut from the frame that is shown."""
    return tuple(
        FramedBox(source.box, source.name, colours.get(source.id, "#8b909c"))
        for source in take.sources
        if source.box and take.frame and source.media == take.frame
    )


def _frame(take: Take) -> tuple[Image.Image | None, tuple[int, int]]:
    if not take.frame:
        return None, (0, 0)
    path = inside(take.session, take.frame)
    try:
        with Image.open(path) as image:
            size = image.size
            if size[0] * size[1] > MAX_PIXELS:
                raise BadImage(
                    f"{path.name} has {size[0]} x {size[1]} pixels; 100 million are allowed"
                )
            image.draft("RGB", SHOWN_PIXELS)
            shown = image.convert("RGB")
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise BadImage(f"{path.name} is not a readable picture ({error})") from error
    shown.thumbnail(SHOWN_PIXELS)
    return shown, size
