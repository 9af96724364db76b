"""What the user should know about a delivery, in sentences."""

from __future__ import annotations

from collections.abc import Sequence

from plugin_host.chain import LONGEST_TAIL_S, full_tail_s
from plugin_host.items import Item
from plugin_host.take import SAMPLE_RATE, Take


def notes_on(take: Take, items: Sequence[Item], trim_db: float) -> tuple[str, ...]:
    """What was changed, left out, or is other than it may seem; ``items`` end with the mix."""
    stems = items[:-1]
    return (
        *_on_pack(take),
        *_on_mix(take),
        *_on_left_out(take, stems),
        *_on_weights(stems),
        *_on_tails(items),
        *_on_trim(trim_db),
    )


def _on_pack(take: Take) -> list[str]:
    if take.pack.sample_rate >= SAMPLE_RATE:
        return []
    return [
        f"Pack {take.pack.name} sounds at {take.pack.sample_rate} Hz (bandwidth "
        f"{take.pack.bandwidth_hz} Hz); the files are upsampled to {SAMPLE_RATE} Hz."
    ]


def _on_mix(take: Take) -> list[str]:
    if take.stems_mode != "independent":
        return []
    return [
        "The mix was generated as one sound: chain, gain, pan, solo and start of single sources "
        "do not reach it. Render with consistent stems for a mix that is their sum."
    ]


def _on_left_out(take: Take, stems: Sequence[Item]) -> list[str]:
    if len(stems) == len(take.sources):
        return []
    count = len(take.sources) - len(stems)
    return [f"{count} of {len(take.sources)} sources are muted or not solo: not written."]


def _on_weights(stems: Sequence[Item]) -> list[str]:
    without = [item.label[:40] for item in stems if item.source and not item.source.weight]
    if not without:
        return []
    return [f"Weight 0, so a file of its own but no part of the mix: {', '.join(without)}."]


def _on_tails(items: Sequence[Item]) -> list[str]:
    chains = {item.chain.name: full_tail_s(item.chain) for item in items}
    return [
        f"Chain {name} can sound on for {tail_s:.1f} s after a sound; "
        f"it was cut {LONGEST_TAIL_S:g} s after the end."
        for name, tail_s in chains.items()
        if tail_s > LONGEST_TAIL_S
    ]


def _on_trim(trim_db: float) -> list[str]:
    if not trim_db:
        return []
    return [
        f"All files were turned down by {-trim_db:.1f} dB together: the loudest would have "
        "exceeded 0 dBFS."
    ]
