"""The ``wildtrack`` command: a table of commands, each loaded only when it is called."""

from __future__ import annotations

from plugin_host.cli.root import main

__all__ = ["main"]
