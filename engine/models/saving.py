"""Writing a pack of kind ``starter``: weights in half precision, then the manifest over them."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from safetensors.torch import save
from torch import nn

from engine.cmss import SSV2A, save_ssv2a
from engine.models.pack import (
    AUDIO_FILE,
    CODEC_FILE,
    GENERATOR_FILE,
    PackManifest,
    file_hash,
    write_manifest,
)
from engine.perception.audio import AudioNet
from engine.perception.mel import MEL
from engine.synthesis.codec import MelCodec
from engine.synthesis.dit import DiT
from presets.files import write_whole


@dataclass(frozen=True)
class StarterParts:
    """The networks of a starter pack."""

    audio: AudioNet
    ssv2a: SSV2A
    codec: MelCodec
    generator: DiT


def save_starter(folder: Path, parts: StarterParts, name: str, version: str) -> PackManifest:
    """Write a loadable pack into ``folder`` and return its manifest."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = save_ssv2a(parts.ssv2a, folder, half=True)
    for module, file_name in (
        (parts.audio, AUDIO_FILE),
        (parts.codec, CODEC_FILE),
        (parts.generator, GENERATOR_FILE),
    ):
        write_whole(folder / file_name, save(_half(module)))
        paths.append(folder / file_name)
    manifest = PackManifest(
        name=name,
        version=version,
        kind="starter",
        licence="AGPL-3.0-or-later",
        sample_rate=MEL.sample_rate,
        bandwidth_hz=int(MEL.high_hz),
        sizes={
            "audio": asdict(parts.audio.settings),
            "codec": asdict(parts.codec.settings),
            "generator": asdict(parts.generator.settings),
        },
        files={path.name: file_hash(path) for path in paths},
    )
    write_manifest(folder, manifest)
    return manifest


def _half(module: nn.Module) -> dict[str, torch.Tensor]:
    return {name: tensor.half().contiguous() for name, tensor in module.state_dict().items()}
