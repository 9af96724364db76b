"""``python -m plugin_host.cli`` is ``wildtrack``."""

from __future__ import annotations

from plugin_host.cli.root import PROGRAM, main

if __name__ == "__main__":
    main(prog_name=PROGRAM)
