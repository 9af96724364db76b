"""Everything a pack can be asked to sound, for evaluation: words, embeddings, real sounds."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from engine.cmss import SourceEmbedding, source_semantics
from engine.models.loading import LoadedPack, load_codec, load_pack, load_vocoder
from engine.perception.mel import MEL, log_mel
from engine.steps import no_steps
from engine.synthesis.codec import MelCodec
from engine.synthesis.vocoder import GriffinLim, Vocoder, vocoder_of

Wave = NDArray[np.float32]


@dataclass(frozen=True)
class Renderer:
    """A pack, and its codec and vocoder where only evaluation looks inside."""

    pack: LoadedPack
    codec: MelCodec
    vocoder: Vocoder = field(default_factory=GriffinLim)

    def from_text(self, text: str, seconds: float, seed: int) -> Wave:
        """Return what the engine renders for a text source, at the decoder's rate."""
        return self.from_embedding(self.semantics(text), seconds, seed)

    def semantics(self, text: str) -> Tensor:
        """Return a_src (clap_dim,) of a text source."""
        source = SourceEmbedding("clip", self.pack.texts.encode([text])[0])
        return source_semantics(self.pack.ssv2a, [source])[0]

    def from_seen(self, seen: Tensor, seconds: float, seed: int) -> Wave:
        """Return what the engine renders for a picture source, from its vector (clip_dim,)."""
        a = source_semantics(self.pack.ssv2a, [SourceEmbedding("clip", seen)])[0]
        return self.from_embedding(a, seconds, seed)

    def from_embedding(self, a: Tensor, seconds: float, seed: int) -> Wave:
        """Return the final-quality sound of an audio embedding."""
        decoder = self.pack.decoder
        length = min(max(seconds, decoder.min_s), decoder.max_s)
        return decoder.decode(a, length, seed, "final", no_steps)

    @torch.inference_mode()
    def through_codec(self, wave: Wave, seed: int) -> Wave:
        """Return a real sound after codec and vocoder: what a perfect generator would give."""
        picture = log_mel(torch.from_numpy(wave))
        source = torch.Generator().manual_seed(seed)
        mels = self.codec.decode(self.codec.encode(picture.unsqueeze(0)), source)[0]
        return self.audible(mels[:, : picture.shape[1]], seed)[: len(wave)]

    @torch.inference_mode()
    def audible(self, mels: Tensor, seed: int) -> Wave:
        """Return the wave (T * hop,) of a log-mel picture (mels, T) by the pack's vocoder."""
        source = torch.Generator().manual_seed(seed)
        wave = self.vocoder.sound(mels, "final", source)
        return np.asarray(wave.numpy(), dtype=np.float32)


def renderer_of(pack: Path) -> Renderer:
    """Return the pack as the engine loads it, its codec and vocoder beside it."""
    loaded = load_pack(pack)
    vocoder = vocoder_of(load_vocoder(pack, loaded.manifest), torch.device("cpu"))
    return Renderer(loaded, load_codec(pack, loaded.manifest), vocoder)


def edge_ratio(picture: Tensor, patch: int) -> float:
    """Return the mean step between frames at patch edges over that inside patches; 1 is no stripes.

    Only frames above silence count.
    """
    steps = picture.diff(dim=1).abs()
    loud = (picture[:, 1:] > MEL.log_floor + 0.5).any(dim=0)
    at_edge = (torch.arange(1, picture.shape[1]) % patch) == 0
    edge, inside = steps[:, loud & at_edge], steps[:, loud & ~at_edge]
    return float(edge.mean() / inside.mean()) if edge.numel() and inside.numel() else 1.0
