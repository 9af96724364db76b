"""From a pack folder to warm models: verify the hashes, build, load strictly, put on the device."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from engine.cmss import SSV2A, load_ssv2a
from engine.cmss.checkpoint import CONFIG_FILE, SAFETENSORS_FILE
from engine.config import check_device
from engine.models.manifest_sizes import role_settings
from engine.models.options import Options
from engine.models.pack import (
    AUDIO_FILE,
    CODEC_FILE,
    GENERATOR_FILE,
    VOCODER_FILE,
    PackManifest,
    find_pack,
    read_manifest,
    verify,
)
from engine.models.weights import load_network
from engine.perception.audio import AudioNet, AudioNetSettings, MelAudioEncoder
from engine.perception.detector import load_detector
from engine.perception.image import load_image_encoder
from engine.perception.mel import MEL
from engine.perception.text import load_text_encoder
from engine.steps import StepCallback, no_steps
from engine.synthesis.codec import CodecSettings, MelCodec
from engine.synthesis.dit import DiT, DiTSettings
from engine.synthesis.latent_flow import LatentFlowDecoder
from engine.synthesis.vocos import Vocos, VocosSettings
from osc_bridge.errors import PackCorrupt

if TYPE_CHECKING:
    from engine.perception.base import AudioEncoder, Detector, ImageEncoder, TextEncoder
    from engine.synthesis.base import Decoder

_STEPS = 5
"""Files verified, networks read, words, pictures, on the device."""


@dataclass(frozen=True, eq=False)
class LoadedPack:
    """The warm models of one pack on one device; read-only, shared by all jobs."""

    manifest: PackManifest
    images: ImageEncoder
    texts: TextEncoder
    audio: AudioEncoder
    detector: Detector
    ssv2a: SSV2A
    decoder: Decoder
    device: str = "cpu"
    precision: str = "fp32"
    compiled: bool = False


def load_pack(
    name_or_folder: str | Path,
    device: str = "cpu",
    options: Options | None = None,
    on_step: StepCallback = no_steps,
    beside: LoadedPack | None = None,
) -> LoadedPack:
    """Load a pack by name or folder onto ``device`` (cpu, cuda, mps).

    What is no pack's own, the encoders of words and pictures, is shared with the pack ``beside``
    it on the same device. Raises PackMissing, PackCorrupt (a byte differs), BadCheckpoint (keys or
    shapes differ), DeviceUnavailable, or what ``on_step`` raises.
    """
    check_device(device)
    folder = find_pack(name_or_folder)
    manifest = read_manifest(folder)
    if manifest.kind not in _KINDS:
        raise PackCorrupt(
            f"{folder} is a pack of kind {manifest.kind[:80]!r}, this Wildtrack loads "
            f"{', '.join(_KINDS)}; use a newer Wildtrack or another pack."
        )
    verify(folder, manifest)
    on_step(1, _STEPS)
    repeat_exactly(device)
    load = _KINDS[manifest.kind]
    target = _Target(torch.device(device), options or Options(), _shared(beside, manifest, device))
    return load(folder, manifest, target, on_step)


def _shared(beside: LoadedPack | None, manifest: PackManifest, device: str) -> LoadedPack | None:
    if beside is None or (beside.manifest.kind, beside.device) != (manifest.kind, device):
        return None
    return beside


def repeat_exactly(device: str) -> None:
    """Let cuDNN choose its algorithms by nothing but the sizes: equal work, equal bytes."""
    if device == "cuda":
        torch.backends.cudnn.benchmark = False
        torch.backends.cudnn.deterministic = True


@dataclass(frozen=True, eq=False)
class _Target:
    """Where a pack is loaded to, how it computes there, and which pack it shares encoders with."""

    device: torch.device
    options: Options
    beside: LoadedPack | None


@dataclass(frozen=True, eq=False)
class _Senses:
    """What all packs of kind ``starter`` perceive words and pictures with."""

    texts: TextEncoder
    images: ImageEncoder
    detector: Detector


@dataclass(frozen=True, eq=False)
class _StarterNets:
    audio: AudioNet
    ssv2a: SSV2A
    codec: MelCodec
    generator: DiT
    vocoder: Vocos | None


def _load_starter(
    folder: Path, manifest: PackManifest, target: _Target, on_step: StepCallback
) -> LoadedPack:
    device, options = target.device, target.options
    nets = _read_starter(folder, manifest)
    on_step(2, _STEPS)
    senses = _senses(target, on_step)
    on_step(4, _STEPS)
    pack = LoadedPack(
        manifest=manifest,
        images=senses.images,
        texts=senses.texts,
        audio=MelAudioEncoder(nets.audio, device),
        detector=senses.detector,
        ssv2a=nets.ssv2a.to(device),
        decoder=LatentFlowDecoder(nets.generator, nets.codec, device, options, nets.vocoder),
        device=device.type,
        precision=options.precision,
        compiled=options.compiled,
    )
    on_step(5, _STEPS)
    return pack


def _senses(target: _Target, on_step: StepCallback) -> _Senses:
    if target.beside is not None:
        return _Senses(target.beside.texts, target.beside.images, target.beside.detector)
    texts = load_text_encoder(target.device.type)
    on_step(3, _STEPS)
    images = load_image_encoder(texts, target.device.type)
    return _Senses(texts, images, load_detector(images))


def _read_starter(folder: Path, manifest: PackManifest) -> _StarterNets:
    """Read the pack's own networks, on the CPU, and see that they fit each other."""
    _require_front_end(folder, manifest)
    audio_settings = role_settings(AudioNetSettings, folder, manifest, "audio")
    generator_settings = role_settings(DiTSettings, folder, manifest, "generator")
    for name in (AUDIO_FILE, CODEC_FILE, GENERATOR_FILE, CONFIG_FILE, SAFETENSORS_FILE):
        _require_named(folder, manifest, name)
    nets = _StarterNets(
        audio=load_network(lambda: AudioNet(audio_settings), folder / AUDIO_FILE),
        ssv2a=load_ssv2a(folder).requires_grad_(False),
        codec=load_codec(folder, manifest),
        generator=load_network(lambda: DiT(generator_settings), folder / GENERATOR_FILE),
        vocoder=load_vocoder(folder, manifest),
    )
    _require_fit(folder, nets)
    return nets


def load_codec(folder: Path, manifest: PackManifest) -> MelCodec:
    """Return the codec of a starter pack by itself, on the CPU; evaluation looks inside it."""
    settings = role_settings(CodecSettings, folder, manifest, "codec")
    _require_named(folder, manifest, CODEC_FILE)
    return load_network(lambda: MelCodec(settings), folder / CODEC_FILE)


def load_vocoder(folder: Path, manifest: PackManifest) -> Vocos | None:
    """Return the learned vocoder of a starter pack, on the CPU, or None if it has none.

    PackCorrupt where only the file or only its sizes are there.
    """
    if "vocoder" not in manifest.sizes and VOCODER_FILE not in manifest.files:
        return None
    if "vocoder" not in manifest.sizes:
        raise PackCorrupt(f"{folder}: the sizes have no 'vocoder'; fetch the pack again.")
    settings = role_settings(VocosSettings, folder, manifest, "vocoder")
    _require_named(folder, manifest, VOCODER_FILE)
    return load_network(lambda: Vocos(settings), folder / VOCODER_FILE)


_Load = Callable[[Path, PackManifest, _Target, StepCallback], LoadedPack]

_KINDS: Mapping[str, _Load] = {"starter": _load_starter}


def _require_fit(folder: Path, nets: _StarterNets) -> None:
    """Raise PackCorrupt unless what one network gives is what the next one takes."""
    sizes = nets.ssv2a.config
    meetings = (
        ("words and Remixer", 384, sizes.clip_dim),
        ("sounds and Remixer", nets.audio.settings.dim, sizes.clap_dim),
        ("Remixer and generator", sizes.clap_dim, nets.generator.settings.condition),
        ("generator and codec", nets.generator.settings.dims, nets.codec.settings.dims),
    )
    for between, given, taken in meetings:
        if given != taken:
            raise PackCorrupt(
                f"{folder}: {between} meet with {given} and {taken} numbers, they must be equal; "
                "fetch the pack again."
            )


def _require_front_end(folder: Path, manifest: PackManifest) -> None:
    """Raise PackCorrupt unless the pack was made for the pictures of sound that we make."""
    given, ours = (manifest.sample_rate, manifest.bandwidth_hz), (MEL.sample_rate, int(MEL.high_hz))
    if given != ours:
        raise PackCorrupt(
            f"{folder} is made for {given[0]} Hz and a bandwidth of {given[1]} Hz, packs of kind "
            f"{manifest.kind!r} have {ours[0]} and {ours[1]} Hz: use another pack."
        )


def _require_named(folder: Path, manifest: PackManifest, name: str) -> None:
    if name not in manifest.files:
        raise PackCorrupt(f"{folder}: the manifest lists no {name}; fetch the pack again.")
