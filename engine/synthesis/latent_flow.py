"""The starter's decoder: generator, codec and vocoder behind the ``Decoder`` interface."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from engine.models.options import Options
from engine.perception.mel import MEL
from engine.steps import StepCallback
from engine.synthesis.base import Quality
from engine.synthesis.codec import MelCodec
from engine.synthesis.dit import DiT
from engine.synthesis.precision import computing_in, prepared
from engine.synthesis.samplers import Velocity, euler_flow
from engine.synthesis.vocoder import vocoder_of
from engine.synthesis.vocos import Vocos
from osc_bridge.errors import OutOfRange

PEAK = 0.9  # as the sounds it learned from; level is the artist's, by gain_db
FADE_S = 0.01  # without it, a sound that goes on at the end of its time ends in a click
SHORTEST_TOKENS = 12  # the shortest window of training; shorter sounds are cut from it


@dataclass(frozen=True)
class Effort:
    """Sampler steps and guidance of one quality."""

    steps: int
    guidance: float


EFFORTS: dict[Quality, Effort] = {
    "preview": Effort(steps=5, guidance=3.0),
    "final": Effort(steps=12, guidance=4.5),
}


class LatentFlowDecoder:
    """One audio embedding -> one mono sound at 22.05 kHz, with content up to half of it."""

    sample_rate = MEL.sample_rate
    bandwidth_hz = int(MEL.high_hz)
    min_s = 0.3
    max_s = 10.0

    def __init__(
        self,
        generator: DiT,
        codec: MelCodec,
        device: torch.device,
        options: Options | None = None,
        vocoder: Vocos | None = None,
    ) -> None:
        self._options = options or Options()
        self._generator = generator.to(device).eval()
        self._prepared = prepared(self._generator, self._options)
        self._codec = codec.to(device).eval()
        self._vocoder = vocoder_of(vocoder, device)
        self._device = device

    def steps(self, quality: Quality) -> int:
        """Return the steps that a decode reports: the sampler's, then the vocoder's."""
        return EFFORTS[quality].steps + self._vocoder.steps(quality)

    @torch.inference_mode()
    def decode(
        self,
        a: Tensor,
        seconds: float,
        seed: int,
        quality: Quality,
        on_step: StepCallback,
        batch: int = 2,
    ) -> NDArray[np.float32]:
        """Return ``round(seconds * sample_rate)`` samples with a peak of 0.9; see ``Decoder``."""
        if not self.min_s <= seconds <= self.max_s:
            raise OutOfRange(
                f"The duration is {seconds:g} s, allowed are {self.min_s:g} to {self.max_s:g} s; "
                "choose a duration in that range."
            )
        samples = round(seconds * self.sample_rate)
        effort = EFFORTS[quality]
        source = torch.Generator().manual_seed(seed)

        def after(done: int) -> StepCallback:
            return lambda step, _of: on_step(done + step, self.steps(quality))

        picture = self.picture(a, seconds, source, effort, after(0), batch)
        mels = picture[:, : MEL.frames(samples)]
        wave = self._vocoder.sound(mels, quality, source, after(effort.steps))[:samples]
        return _finish(wave.cpu().numpy())

    def picture(
        self,
        a: Tensor,
        seconds: float,
        source: torch.Generator,
        effort: Effort,
        on_step: StepCallback,
        batch: int = 2,
    ) -> Tensor:
        """Return the log-mel picture (mels, T), T at least ``seconds`` long."""
        patch = self._codec.settings.patch
        tokens = -(-MEL.frames(round(seconds * self.sample_rate)) // patch)
        shape = (1, max(tokens, SHORTEST_TOKENS), self._codec.settings.dims)
        noise = torch.randn(shape, generator=source).to(self._device)
        condition = a.to(self._device).unsqueeze(0)
        velocity = self._velocity(seconds, batch)
        sampled = euler_flow(
            velocity, noise, condition, effort.steps, effort.guidance, on_step, batch
        )
        return self._codec.decode(sampled, source)[0]

    def _velocity(self, seconds: float, batch: int) -> Velocity:
        """Return the generator as a velocity field: float32 outside, whatever it computes in.

        A smaller batch than usual is relief of a full memory: nothing is compiled for it then.
        """
        network = self._prepared if batch > 1 else self._generator

        def velocity(x: Tensor, time: Tensor, condition: Tensor) -> Tensor:
            active = torch.full((len(x),), seconds, device=self._device)
            with computing_in(self._device, self._options.precision):
                out: Tensor = network(x, time, condition, active)
            return out.float()

        return velocity


def _finish(wave: NDArray[np.float32]) -> NDArray[np.float32]:
    """Scale to the peak and fade the cut at the end; digital near-silence keeps its level."""
    peak = float(np.abs(wave).max(initial=0.0))
    fade = round(FADE_S * MEL.sample_rate)
    wave[-fade:] *= np.linspace(1.0, 0.0, fade, dtype=np.float32)
    scaled: NDArray[np.float32] = (wave * (PEAK / peak if peak > 1e-3 else 1.0)).astype(np.float32)
    return scaled
