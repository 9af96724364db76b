"""An audio encoder from its weights alone: what the stage ``encoder`` trained, before any pack."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

import torch

from engine.models.pack import find_pack, read_manifest, verify
from engine.models.weights import load_network
from engine.perception.audio import AudioNet, AudioNetSettings, MelAudioEncoder
from engine.perception.detector import load_detector
from engine.perception.image import load_image_encoder
from engine.perception.mel import MEL
from engine.perception.text import load_text_encoder
from engine.training.data.embedding import Encoders
from engine.training.weight_shapes import weight_shapes
from osc_bridge.errors import BadCheckpoint

NO_PACK = "none"
"""In place of a pack's name: the encoders of pictures and words that come as packages."""
NO_PACK_DIGEST = hashlib.sha256(b"efficientnet-lite2, all-MiniLM-L6-v2").hexdigest()
_BLOCK = "blocks.{}.shortcut.weight"


def packless_encoders(device: str) -> Encoders:
    """Return encoders of pictures and words without those of a pack; none for sounds yet."""
    texts = load_text_encoder(device)
    images = load_image_encoder(texts, device)
    return Encoders("no pack", NO_PACK_DIGEST, images, texts, None, load_detector(images))


def pack_digest(pack: str) -> str:
    """Return the digest of a pack's encoders, checked file by file, or that of no pack."""
    if pack == NO_PACK:
        return NO_PACK_DIGEST
    folder = find_pack(pack)
    manifest = read_manifest(folder)
    verify(folder, manifest)
    return manifest.digest


def with_audio(encoders: Encoders, weights: Path, device: str) -> Encoders:
    """Return the encoders with this audio network; name and digest say so.

    FileMissing, BadCheckpoint.
    """
    net = read_audio(weights)
    return replace(
        encoders,
        name=f"{encoders.name} with {weights.name}",
        digest=digest_with(encoders.digest, weights),
        audio=MelAudioEncoder(net, torch.device(device)),
    )


def read_audio(weights: Path) -> AudioNet:
    """Return the network of these weights, in eval mode, on the CPU. FileMissing, BadCheckpoint."""
    settings = _settings(weights)
    return load_network(lambda: AudioNet(settings), weights)


def digest_with(digest: str, weights: Path) -> str:
    """Return the digest of a pack's encoders with this audio network in place of its own."""
    own = hashlib.sha256(weights.read_bytes()).hexdigest()
    return hashlib.sha256(f"{digest} {own}".encode()).hexdigest()


def _settings(weights: Path) -> AudioNetSettings:
    """Return the sizes that the shapes of the weights tell."""
    shapes = weight_shapes(weights, "encoder")
    first, last = shapes.get("blocks.0.weight"), shapes.get("head.2.weight")
    places = range(2, 2 + len(shapes))
    widths = [shapes[name][0] for place in places if (name := _BLOCK.format(place)) in shapes]
    fits = first and last and widths and MEL.mels % 2 ** (1 + len(widths)) == 0
    if not fits or first is None or last is None:
        raise BadCheckpoint(
            f"{weights} holds no audio encoder; give what the stage `encoder` left."
        )
    return AudioNetSettings((first[0], *widths), last[0])
