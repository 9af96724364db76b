"""Effect chains on whole sounds: same input, same bytes; tails kept; never NaN."""

from __future__ import annotations

import math
from typing import Final

import numpy as np
from numpy.typing import NDArray
from pedalboard import Chain

from osc_bridge.errors import BadAudio, BadPreset
from plugin_host.effects import build, tail_s
from presets.schema import ChainPreset

Audio = NDArray[np.float32]

LONGEST_TAIL_S: Final = 20.0
TAIL_FLOOR: Final = 1e-4
"""A tail ends where it has fallen 80 dB below the loudest sample."""
FADE_S: Final = 0.01
BLOCK: Final = 8192


def build_board(chain: ChainPreset, sample_rate: int, channels: int) -> Chain:
    """The chain as one plugin with fresh state."""
    plugins = [
        plugin for preset in chain.effects for plugin in build(preset, sample_rate, channels)
    ]
    return Chain(plugins)


def chain_tail_s(chain: ChainPreset) -> float:
    """Seconds of silence to feed after the sound, before trimming."""
    return min(full_tail_s(chain), LONGEST_TAIL_S)


def full_tail_s(chain: ChainPreset) -> float:
    """How long the chain sounds on, in seconds; only ``LONGEST_TAIL_S`` of it are kept."""
    return sum(tail_s(preset) for preset in chain.effects)


def apply_chain(
    audio: Audio, sample_rate: int, chain: ChainPreset, block_size: int = BLOCK
) -> Audio:
    """Run ``audio`` (channels, T) through the chain: (channels or 2, T + tail) float32.

    A chain without effects returns the samples bit for bit. A mono sound through a stereo
    chain enters both sides at -3.01 dB (constant power). The result may exceed 1.0: delivery
    sees to headroom. BadAudio when the input is not finite, BadPreset when the output is not.
    """
    _check_input(audio)
    if not chain.effects or audio.shape[1] == 0:
        return audio.copy()
    entered = _enter(audio, chain)
    tail = np.zeros((entered.shape[0], math.ceil(chain_tail_s(chain) * sample_rate)), np.float32)
    board = build_board(chain, sample_rate, entered.shape[0])
    fed = np.concatenate([entered, tail], axis=1)
    result = np.asarray(board(fed, sample_rate, buffer_size=block_size), np.float32)
    if not np.isfinite(result).all():
        raise BadPreset(
            f"chain {chain.name!r} made samples that are not finite; "
            "lower its gains, resonances and feedback"
        )
    return _trim_tail(result, audio.shape[1], sample_rate)


def _check_input(audio: Audio) -> None:
    if audio.ndim != 2 or audio.shape[0] not in (1, 2):
        raise BadAudio(f"audio of shape {audio.shape}; an effect chain takes 1 or 2 channels")
    if not np.isfinite(audio).all():
        raise BadAudio("the sound holds samples that are NaN or infinite; render it again")


def _enter(audio: Audio, chain: ChainPreset) -> Audio:
    if chain.channels == "stereo" and audio.shape[0] == 1:
        return np.repeat(audio * np.float32(math.sqrt(0.5)), 2, axis=0)
    return np.ascontiguousarray(audio, np.float32)


def _trim_tail(audio: Audio, keep: int, sample_rate: int) -> Audio:
    """Cut the tail where only its last 80 dB are left, with a short fade; never the sound."""
    level = np.abs(audio).max(axis=0)
    heard = np.flatnonzero(level > max(float(level.max()) * TAIL_FLOOR, 1e-7))
    end = max(keep, int(heard[-1]) + 1 if len(heard) else 0)
    trimmed = audio[:, :end].copy()
    fade = min(round(FADE_S * sample_rate), end - keep)
    if fade > 1:
        trimmed[:, -fade:] *= np.linspace(1, 0, fade, dtype=np.float32)
    return trimmed
