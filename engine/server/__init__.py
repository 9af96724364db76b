"""The engine's face over OSC: the only part of the engine that knows sockets.

It imports nothing heavy, so that a port in use is said at once and the engine answers before its
models are there.
"""

from __future__ import annotations

from engine.server.doors import listening, serving
from engine.server.handlers import Handlers

__all__ = ["Handlers", "listening", "serving"]
