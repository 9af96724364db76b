"""Delivery: a take becomes 48 kHz, 24-bit BWF files named by UCS, and a sidecar.

- Stems: each audible source through its chain, gain and pan. Muted ones are not written.
- Mix, stems ``consistent``: the sum of those stems (of weight 0 only the file is written), then
  the mix chain if one is given.
- Mix, stems ``independent``: the mix that the model generated as one sound, through the mix
  chain (or the chain given for all sources). Chain, gain, pan, solo and start of single
  sources do not reach it; the notes say so.
- Levels stay as they are up to 0 dBFS. If any file would exceed it, all are turned down by
  the same amount, the loudest to -1 dBFS: balance and sum stay; the notes say so.
- All files or none; nothing is ever overwritten; the same take gives the same bytes.
"""

from __future__ import annotations

import errno
import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import numpy as np

from osc_bridge.errors import BadPreset, DiskFull, NothingToRender, SessionNotWritable
from plugin_host.bwf import bwf_bytes
from plugin_host.items import DeliveredFile, Delivery, Item
from plugin_host.labelling import Labels, describe
from plugin_host.mixdown import Placement, Voice, audible, peak_dbfs, process, sum_voices
from plugin_host.notes import notes_on
from plugin_host.sidecar import sidecar_bytes
from plugin_host.take import SAMPLE_RATE, Take, TakeSource, read_stem
from presets.files import new_files
from presets.naming import (
    MIX_CAT_ID,
    cat_id_for,
    cat_ids,
    fx_name,
    fx_name_in,
    unique_file_names,
)
from presets.schema import DRY, ChainPreset, PresetError, builtin_chain

TRIMMED_PEAK: Final = 10 ** (-1 / 20)
MAX_ATTEMPTS: Final = 10_000

OnFile = Callable[[int, int], None]


@dataclass(frozen=True)
class DeliverySettings:
    """What the user chose; ``chain`` for every source overrides the one in the scene."""

    creator_id: str = "WT"
    chain: ChainPreset | None = None
    mix_chain: ChainPreset | None = None


def deliver(
    take: Take, out: Path, settings: DeliverySettings, on_file: OnFile = lambda done, of: None
) -> Delivery:
    """Process and write the take's files into ``out`` (made if missing).

    ``on_file(done, of)`` is called after each sound is processed. Raises NothingToRender when
    every source is muted, BadPreset, BadSession, BadAudio or PathForbidden for what the take
    holds, SessionNotWritable or DiskFull for the folder.
    """
    heard = audible(take.sources)
    if not heard:
        raise NothingToRender(
            f"all {len(take.sources)} sources of take {take.id} are muted; unmute one (source/set)"
        )
    items = _process_all(take, heard, settings, on_file)
    items, trim_db = _with_headroom(items)
    _make_folder(out)
    try:
        return _write_numbered(take, items, settings, out, trim_db)
    except OSError as error:
        raise folder_error(out, error) from error


def chain_of(source: TakeSource, settings: DeliverySettings) -> ChainPreset:
    """The chain for a source: a name of ours only, since a take is untrusted."""
    if settings.chain is not None:
        return settings.chain
    try:
        return builtin_chain(source.chain)
    except PresetError as error:
        raise BadPreset(f"source {source.id}: {error}") from error


def _process_all(
    take: Take, heard: Sequence[TakeSource], settings: DeliverySettings, on_file: OnFile
) -> list[Item]:
    count = len(heard) + 1
    items = []
    for done, source in enumerate(heard, start=1):
        items.append(_stem(take, source, settings))
        on_file(done, count)
    items.append(_mix(take, items, settings))
    on_file(count, count)
    return items


def _stem(take: Take, source: TakeSource, settings: DeliverySettings) -> Item:
    chain = chain_of(source, settings)
    placement = Placement(source.gain_db, source.pan, source.start_sample)
    voice = process(read_stem(take, source.audio), chain, placement)
    cat = cat_id_for(source.name, source.cat_id)
    return Item("stem", source, source.audio, voice, chain, cat, fx_name(source.name))


def _mix(take: Take, stems: Sequence[Item], settings: DeliverySettings) -> Item:
    if take.stems_mode == "consistent":
        chain = settings.mix_chain or DRY
        voice, ref = _sum(take, stems), None
    else:
        chain = settings.mix_chain or settings.chain or DRY
        voice, ref = Voice(read_stem(take, take.mix), 0), take.mix
    voice = process(voice.audio, chain, Placement())
    cat = cat_ids()[MIX_CAT_ID]
    return Item("mix", None, ref, voice, chain, cat, fx_name(take.scene_name or "Mix"))


def _sum(take: Take, stems: Sequence[Item]) -> Voice:
    """The stems that are in the engine's mix: those of weight 0 are not; silence if none is."""
    voices = [item.voice for item in stems if item.source and item.source.weight > 0]
    return sum_voices(voices or [Voice(np.zeros((1, take.duration_samples), np.float32), 0)])


def _with_headroom(items: Sequence[Item]) -> tuple[list[Item], float]:
    peak = max(item.voice.peak for item in items)
    if peak <= 1.0:
        return list(items), 0.0
    factor = TRIMMED_PEAK / peak
    quieter = [replace(item, voice=item.voice.scaled(factor)) for item in items]
    return quieter, peak_dbfs(factor)


def _write_numbered(
    take: Take, items: Sequence[Item], settings: DeliverySettings, out: Path, trim_db: float
) -> Delivery:
    """Deliver under the first free number: ``Alley-t0001``, then ``Alley-t0001-2``."""
    for attempt in range(1, MAX_ATTEMPTS):
        source_id = f"{(take.scene_name or take.scene_id)[:16].strip()}-{take.id}"
        source_id += f"-{attempt}" if attempt > 1 else ""
        labels = Labels(take, settings.creator_id, source_id)
        sounds = [(item.cat.id, item.fx_name) for item in items]
        names = unique_file_names(sounds, settings.creator_id, source_id)
        sidecar, picture = (f"{names[-1].removesuffix('.wav')}{end}" for end in (".json", ".png"))
        if any((out / name).exists() for name in [*names, sidecar, picture]):
            continue
        named = [(n, replace(i, fx_name=fx_name_in(n))) for n, i in zip(names, items, strict=True)]
        try:
            return _write_all(labels, named, out, sidecar, trim_db)
        except FileExistsError:
            continue
    raise SessionNotWritable(f"{out} holds {MAX_ATTEMPTS} deliveries of {take.id}; choose another")


def _write_all(
    labels: Labels, named: Sequence[tuple[str, Item]], out: Path, sidecar: str, trim_db: float
) -> Delivery:
    with new_files() as write:
        files = [_write_one(labels, item, out / name, write) for name, item in named]
        items = [item for _, item in named]
        notes = notes_on(labels.take, items, trim_db)
        delivery = Delivery(out, tuple(files), out / sidecar, trim_db, notes)
        write(delivery.sidecar, sidecar_bytes(labels, items, delivery))
    return delivery


def _write_one(
    labels: Labels, item: Item, path: Path, write: Callable[[Path, bytes], None]
) -> DeliveredFile:
    voice = item.voice
    start_sample = labels.take.scene_start_sample + voice.start_sample
    bext, ixml = describe(labels, item, start_sample)
    data = bwf_bytes(voice.audio, SAMPLE_RATE, bext, ixml)
    write(path, data)
    return DeliveredFile(
        path=path,
        role=item.role,
        source_id=item.source.id if item.source else "",
        label=item.label,
        chain=item.chain.name,
        cat_id=item.cat.id,
        channels=voice.audio.shape[0],
        length_samples=voice.audio.shape[1],
        start_sample=start_sample,
        peak_dbfs=peak_dbfs(voice.peak),
        sha256=hashlib.sha256(data).hexdigest(),
    )


def _make_folder(out: Path) -> None:
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise folder_error(out, error) from error


def folder_error(out: Path, error: OSError) -> SessionNotWritable | DiskFull:
    """What went wrong while writing into ``out``, with its cure."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return DiskFull(f"the disk of {out} is full; free some space and deliver again")
    return SessionNotWritable(
        f"{out} cannot be written ({error.strerror or error}); choose another folder with --out"
    )
