"""Prepared data heard again by another audio encoder: only ``clap`` is made anew, from the mels."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch

from engine.perception.audio import AudioNet, embed_picture
from engine.steps import StepCallback
from engine.training.data.listening import digest_with, pack_digest, read_audio
from engine.training.data.prepared import MANIFEST, read_manifest
from engine.training.data.samples import Sample
from engine.training.data.shards import Shard, is_finished, read_shard, write_shard
from engine.training.data.stage import RECORD, Prepared, begin, finish, known_bad
from osc_bridge.errors import BadCorpus
from presets.files import remove_parts


def is_prepared(folder: Path) -> bool:
    """Whether a folder is what ``wildtrack train data`` left."""
    return (folder / MANIFEST).is_file() and (folder / RECORD).is_file()


def hear_again(
    source: Path, weights: Path, pack: str, folder: Path, on_step: StepCallback
) -> Prepared:
    """Write the shards of ``source`` into ``folder``, their sounds embedded by ``weights``.

    ``pack`` is what ``source`` was prepared by. A stopped run goes on after the last whole shard.
    BadCorpus if the source was prepared by another pack or without mels, or the folder holds
    something else.
    """
    net = read_audio(weights)
    manifest = read_manifest(source)
    record = _record(source, manifest, weights, pack)
    folder.mkdir(parents=True, exist_ok=True)
    remove_parts(folder)
    begin(folder, record)
    shards: dict[str, Shard] = {}
    for number, name in enumerate(manifest["shards"]):
        tar = folder / f"{name}.tar"
        if is_finished(tar):
            shards[name] = read_shard(tar)
        else:
            known = read_shard(source / f"{name}.tar")
            shards[name] = write_shard(tar, _heard(known, net), known.bad)
        on_step(number + 1, len(manifest["shards"]))
    dims = int(manifest["clip_dim"]), net.settings.dim
    return finish(folder, record, dims, shards, known_bad(source))


def _record(source: Path, manifest: dict[str, Any], weights: Path, pack: str) -> dict[str, Any]:
    base = pack_digest(pack)
    if manifest.get("digest") != base:
        raise BadCorpus(
            f"{source} was prepared by {manifest.get('pack')}, not by the pack {pack!r} alone; "
            "name that pack, or prepare the sounds anew with --audio-encoder."
        )
    plan = json.loads((source / RECORD).read_bytes())
    name = f"{manifest.get('pack')} with {weights.name}"
    return {**plan, "pack": name, "digest": digest_with(base, weights)}


@torch.inference_mode()
def _heard(shard: Shard, net: AudioNet) -> Iterator[Sample]:
    for place, entry in enumerate(shard.entries):
        arrays = {name: shard.array(place, name) for name in entry.places if name != "clap"}
        if "mel" in arrays:
            picture = torch.from_numpy(arrays["mel"].T.astype(np.float32))
            arrays["clap"] = embed_picture(net, picture).numpy()
        elif entry.facts.duration_s > 0:
            raise BadCorpus(
                f"{shard.tar} was prepared without mels; prepare the sounds anew with "
                "--audio-encoder."
            )
        yield Sample(entry.facts, arrays)
