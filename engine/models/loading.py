"""From a pack folder to warm models: verify the hashes, build, load strictly, put on the device."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import torch

from engine.cmss import SSV2A, load_ssv2a
from engine.cmss.checkpoint import CONFIG_FILE, SAFETENSORS_FILE
from engine.config import check_device
from engine.models.pack import (
    AUDIO_FILE,
    CODEC_FILE,
    GENERATOR_FILE,
    PackManifest,
    find_pack,
    read_manifest,
    verify,
)
from engine.models.weights import load_weights
from engine.perception.audio import AudioNet, AudioNetSettings, MelAudioEncoder
from engine.perception.base import AudioEncoder, Detector, ImageEncoder, TextEncoder
from engine.perception.detector import load_detector
from engine.perception.image import load_image_encoder
from engine.perception.text import load_text_encoder
from engine.synthesis.base import Decoder
from engine.synthesis.codec import CodecSettings, MelCodec
from engine.synthesis.dit import DiT, DiTSettings
from engine.synthesis.latent_flow import LatentFlowDecoder
from osc_bridge.errors import PackCorrupt

Settings = TypeVar("Settings", AudioNetSettings, CodecSettings, DiTSettings)


@dataclass(frozen=True)
class LoadedPack:
    """The warm models of one pack on one device; read-only, shared by all jobs."""

    manifest: PackManifest
    images: ImageEncoder
    texts: TextEncoder
    audio: AudioEncoder
    detector: Detector
    ssv2a: SSV2A
    decoder: Decoder


def load_pack(name_or_folder: str | Path, device: str = "cpu") -> LoadedPack:
    """Load a pack by name or folder onto ``device`` (cpu, cuda, mps).

    Raises PackMissing, PackCorrupt (a byte differs), BadCheckpoint (keys or shapes differ) or
    DeviceUnavailable.
    """
    check_device(device)
    folder = find_pack(name_or_folder)
    manifest = read_manifest(folder)
    verify(folder, manifest)
    if manifest.kind not in _KINDS:
        raise PackCorrupt(
            f"{folder} is a pack of kind {manifest.kind!r}, this Wildtrack loads "
            f"{', '.join(_KINDS)}; use a newer Wildtrack or another pack."
        )
    return _KINDS[manifest.kind](folder, manifest, torch.device(device))


def _load_starter(folder: Path, manifest: PackManifest, device: torch.device) -> LoadedPack:
    audio = AudioNet(_settings(AudioNetSettings, folder, manifest, "audio"))
    generator = DiT(_settings(DiTSettings, folder, manifest, "generator"))
    for module, name in ((audio, AUDIO_FILE), (generator, GENERATOR_FILE)):
        _named(folder, manifest, name)
        load_weights(module, folder / name)
    codec = load_codec(folder, manifest)
    _named(folder, manifest, CONFIG_FILE)
    _named(folder, manifest, SAFETENSORS_FILE)
    ssv2a = load_ssv2a(folder).requires_grad_(False).to(device)
    texts = load_text_encoder(device.type)
    images = load_image_encoder(texts, device.type)
    return LoadedPack(
        manifest=manifest,
        images=images,
        texts=texts,
        audio=MelAudioEncoder(audio, device),
        detector=load_detector(images),
        ssv2a=ssv2a,
        decoder=LatentFlowDecoder(generator, codec, device),
    )


def load_codec(folder: Path, manifest: PackManifest) -> MelCodec:
    """Return the codec of a starter pack by itself, on the CPU; evaluation looks inside it."""
    codec = MelCodec(_settings(CodecSettings, folder, manifest, "codec"))
    _named(folder, manifest, CODEC_FILE)
    load_weights(codec, folder / CODEC_FILE)
    return codec.eval()


_KINDS: Mapping[str, Callable[[Path, PackManifest, torch.device], LoadedPack]] = {
    "starter": _load_starter
}


def _settings(kind: type[Settings], folder: Path, manifest: PackManifest, role: str) -> Settings:
    given: dict[str, Any] = dict(manifest.sizes.get(role, {}))
    try:
        settings = kind(**{key: _number(value) for key, value in given.items()})
    except TypeError as error:
        raise PackCorrupt(f"{folder}: the sizes of {role!r} are wrong ({error}).") from error
    return settings


def _number(value: Any) -> Any:
    """Numbers within reason, and lists of them as tuples: a manifest cannot ask for a huge net."""
    if isinstance(value, list):
        return tuple(_number(item) for item in value)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value <= 8192:
        raise TypeError(f"{value!r} is not a number from 0 to 8192")
    return value


def _named(folder: Path, manifest: PackManifest, name: str) -> None:
    if name not in manifest.files:
        raise PackCorrupt(f"{folder}: the manifest lists no {name}; fetch the pack again.")
