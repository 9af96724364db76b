"""Writing a pack of kind ``starter``: weights in half precision, then the manifest over them."""

from __future__ import annotations

from collections.abc import Mapping
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
    VOCODER_FILE,
    PackManifest,
    file_hash,
    write_manifest,
)
from engine.perception.audio import AudioNet
from engine.perception.mel import MEL
from engine.synthesis.codec import MelCodec
from engine.synthesis.dit import DiT
from engine.synthesis.vocos import Vocos
from presets.files import write_whole


@dataclass(frozen=True)
class Part:
    """A network and the name of its file."""

    network: AudioNet | MelCodec | DiT | Vocos
    file: str


@dataclass(frozen=True)
class StarterParts:
    """The networks of a starter pack; without ``vocoder`` it sounds by Griffin-Lim."""

    audio: AudioNet
    ssv2a: SSV2A
    codec: MelCodec
    generator: DiT
    vocoder: Vocos | None = None

    @property
    def by_role(self) -> Mapping[str, Part]:
        """The networks whose sizes the manifest gives, under its names."""
        parts = {
            "audio": Part(self.audio, AUDIO_FILE),
            "codec": Part(self.codec, CODEC_FILE),
            "generator": Part(self.generator, GENERATOR_FILE),
        }
        if self.vocoder is not None:
            parts["vocoder"] = Part(self.vocoder, VOCODER_FILE)
        return parts


def save_starter(folder: Path, parts: StarterParts, name: str, version: str) -> PackManifest:
    """Write a loadable pack into ``folder`` and return its manifest."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = save_ssv2a(parts.ssv2a, folder, half=True)
    for part in parts.by_role.values():
        write_whole(folder / part.file, save(_half(part.network)))
        paths.append(folder / part.file)
    manifest = PackManifest(
        name=name,
        version=version,
        kind="starter",
        licence="AGPL-3.0-or-later",
        sample_rate=MEL.sample_rate,
        bandwidth_hz=int(MEL.high_hz),
        sizes={role: asdict(part.network.settings) for role, part in parts.by_role.items()},
        files={path.name: file_hash(path) for path in paths},
    )
    write_manifest(folder, manifest)
    return manifest


def _half(module: nn.Module) -> dict[str, torch.Tensor]:
    return {name: tensor.half().contiguous() for name, tensor in module.state_dict().items()}
