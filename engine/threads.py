"""How torch's threads wait for each other."""

from __future__ import annotations

import os
import sys


def sleep_while_waiting() -> None:
    """Let OpenMP's threads sleep while they wait, unless the environment says otherwise.

    They spin by default, and beside other work on all cores, as a DAW's is, each turn is lost to
    it: stems of 0.6 s took 5 to 20 s, and 0.6 to 1.3 s with threads that sleep (2 cores). Has no
    effect once torch is loaded.
    """
    if "torch" not in sys.modules:
        os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
