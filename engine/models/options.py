"""How a pack computes on a device: number format and compilation, with measured defaults.

Nothing here imports torch: the command line and the configuration read it, too.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, get_args

from osc_bridge.errors import OutOfRange

Precision = Literal["fp32", "bf16", "fp16"]

PRECISIONS: tuple[Precision, ...] = get_args(Precision)
AUTO = "auto"
"""Stands for the device's default on the command line."""


@dataclass(frozen=True)
class Options:
    """What the generator computes in, and whether ``torch.compile`` has gone over it.

    Encoders, Remixer, codec and vocoder are float32 whatever this says: they are a small part of
    the time, and the stem cache knows sources by the bits of their embeddings.
    """

    precision: Precision = "fp32"
    compiled: bool = False


DEFAULTS: Mapping[str, Options] = {
    "cpu": Options(),
    "cuda": Options(),
    "mps": Options(),
}
"""Only what was measured to help is on.

``cpu``: on a core with AVX2 and no bf16 or fp16 of its own, a final stem of 4 s takes 1.44 times as
long in bf16 and 2.9 times in fp16. Compiled it takes 0.91 times as long (a preview 0.85 times), for
a minute and a half of compiling at the first start and 7 s at each later one: worth it for a long
session, so it is there for the asking. ``cuda`` and ``mps``: not measured, so nothing is on.
`wildtrack bench render --precision bf16 --compile` measures them on the machine at hand.
"""


def options_for(device: str, precision: str = AUTO, compiled: bool | None = None) -> Options:
    """Return the device's defaults but for what is given; OutOfRange for an unknown precision."""
    default = DEFAULTS[device]
    return Options(
        precision=default.precision if precision == AUTO else checked_precision(precision),
        compiled=default.compiled if compiled is None else compiled,
    )


def checked_precision(text: str) -> Precision:
    """Return ``text`` as a precision; OutOfRange lists those there are."""
    for precision in PRECISIONS:
        if precision == text:
            return precision
    raise OutOfRange(
        f"The precision is {text[:40]!r}; the allowed values are {AUTO}, {', '.join(PRECISIONS)}: "
        f"start with --precision {AUTO}."
    )
