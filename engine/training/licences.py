"""Which sounds may shape weights that are published under AGPL-3.0-or-later.

Weights are taken, conservatively, as a derived work of the sounds. A licence field may name
several licences (``A/B`` or ``A|B``) without saying which applies: then each must be allowed.
"""

from __future__ import annotations

import re

ALLOWED = frozenset(
    {"CC0", "CC0(Kenney)", "PD", "MIT", "BSD", "Apache"}
    | {"CC-BY", "CC-BY-2.0", "CC-BY-2.5", "CC-BY-3.0", "CC-BY-4.0"}
    | {"CC-BY-SA-3.0", "CC-BY-SA-4.0", "LGPL", "LGPL-2+", "LGPL-2.1+", "LGPL-3", "LGPL-3+"}
    | {"GPL-2+", "GPL-2.0+", "GPL-3", "GPL-3+", "GPL-3.0", "GPL-3.0+"}
)


def is_trainable(licence: str) -> bool:
    """Return whether every licence that the field names is compatible; unclear means no."""
    names = [name.strip() for name in re.split(r"[|/]", licence.removeprefix("text:"))]
    return all(name in ALLOWED for name in names)
