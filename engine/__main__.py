"""``python -m engine``: the engine process without the rest of the command line."""

from __future__ import annotations

import sys

from engine.commands import engine
from osc_bridge.errors import WildtrackError


def main() -> int:
    """Run the command; one sentence on stderr and the error's exit code when it fails."""
    try:
        engine.main(prog_name="python -m engine")
    except WildtrackError as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
