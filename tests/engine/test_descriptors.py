"""The limit of open files."""

from __future__ import annotations

import subprocess
import sys

import pytest

from engine.descriptors import WANTED

LIMITED = """
import resource
resource.setrlimit(resource.RLIMIT_NOFILE, ({soft}, {hard}))
from engine.descriptors import allow_many
print(allow_many(), *resource.getrlimit(resource.RLIMIT_NOFILE))
"""


# Runs wherever the limit exists; where it does not, pytest's -rs (pyproject) names it at the end.
@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such limit")
@pytest.mark.parametrize(
    ("soft", "hard", "allowed"),
    [(256, WANTED, WANTED), (256, 512, 512), (WANTED, WANTED, WANTED)],
    ids=["as on macOS", "a lower hard limit", "enough"],
)
def test_as_many_as_the_system_allows(soft: int, hard: int, allowed: int) -> None:
    program = LIMITED.format(soft=soft, hard=hard)
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == [str(allowed), str(allowed), str(hard)]
