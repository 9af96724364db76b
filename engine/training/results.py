"""The stages of training, and what each leaves in the work folder."""

from __future__ import annotations

from typing import Final, Literal, get_args

StageName = Literal[
    "encoder",
    "manifold",
    "audio2clip",
    "remixer",
    "aggregator",
    "autoencoder",
    "decoder",
    "vocoder",
]
STAGE_NAMES: Final[tuple[StageName, ...]] = get_args(StageName)
RESULTS: Final[dict[StageName, str]] = {
    "encoder": "audio_net.safetensors",
    "manifold": "manifold",
    "audio2clip": "translated",
    "remixer": "mixed",
    "aggregator": "video",
    "autoencoder": "codec.safetensors",
    "decoder": "generator.safetensors",
    "vocoder": "vocoder.safetensors",
}
"""The folder or file of each stage's model."""
