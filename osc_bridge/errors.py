"""Every error a caller can meet, each with one stable wire code.

::

    WildtrackError
    ├── Cancelled               10   the caller asked for it: not a failure
    ├── ProtocolError          (1xx) the message itself
    │   ├── MalformedMessage   100   not OSC, or larger than allowed
    │   ├── UnknownAddress     101
    │   ├── BadArguments       102   wrong types or number of arguments
    │   ├── OutOfRange         103
    │   ├── IncompatibleApi    104
    │   ├── ReplyTimeout       105   raised by the client: no answer in time
    │   └── NotAuthorised      106   hello did not carry the engine's token
    ├── InputError             (2xx) a file or text from outside
    │   ├── FileMissing        200
    │   ├── PathForbidden      201   outside the allowed folders
    │   ├── BadImage           202
    │   ├── BadAudio           203
    │   ├── BadText            204
    │   ├── BadPreset          205
    │   ├── BadSession         206
    │   └── BadCorpus          207   a folder of training data
    ├── SceneError             (3xx) what the session holds
    │   ├── UnknownScene       300
    │   ├── UnknownSource      301
    │   ├── UnknownTake        302
    │   ├── UnknownJob         303
    │   ├── TooManySources     304
    │   ├── NothingToRender    305
    │   ├── NothingToUndo      306   or to redo
    │   └── WrongKind          307   sources of this kind cannot be split, merged or searched so
    ├── ModelError             (4xx) packs, weights, devices
    │   ├── PackMissing        400
    │   ├── PackCorrupt        401   a byte differs from the manifest
    │   ├── BadCheckpoint      402   keys, shapes or pickled code
    │   ├── DeviceUnavailable  403
    │   ├── PackageMissing     404   an optional package is not installed
    │   └── PackInUse          405   the pack that renders cannot be unloaded
    └── EngineError            (5xx) the process and its machine
        ├── QueueFull          500
        ├── SessionNotWritable 501
        ├── PortInUse          502
        ├── EngineUnreachable  503
        ├── DiskFull           504
        ├── OutOfMemory        505   also after a smaller batch and on the CPU
        └── InternalError      599   a defect of ours; the log has the trace

A message is one sentence (or two) that names the value, the allowed range with its unit,
and the cure. ``exit_code`` is what the ``wildtrack`` command ends with.
"""

from __future__ import annotations

from typing import ClassVar


class WildtrackError(Exception):
    """Base of all; ``code`` and ``name`` travel in ``/wildtrack/fail``."""

    code: ClassVar[int] = 599
    exit_code: ClassVar[int] = 1

    @property
    def name(self) -> str:
        """Symbolic name on the wire, the class name itself."""
        return type(self).__name__


class Cancelled(WildtrackError):
    """The caller cancelled the work; step callbacks raise it and library code lets it pass."""

    code = 10
    exit_code = 130


class ProtocolError(WildtrackError):
    """The message itself is at fault."""

    exit_code = 6


class MalformedMessage(ProtocolError):
    code = 100


class UnknownAddress(ProtocolError):
    code = 101


class BadArguments(ProtocolError):
    code = 102


class OutOfRange(ProtocolError):
    code = 103
    exit_code = 3


class IncompatibleApi(ProtocolError):
    code = 104


class ReplyTimeout(ProtocolError):
    code = 105


class NotAuthorised(ProtocolError):
    code = 106


class InputError(WildtrackError):
    """A file or a text from outside cannot be used."""

    exit_code = 3


class FileMissing(InputError):
    code = 200


class PathForbidden(InputError):
    code = 201


class BadImage(InputError):
    code = 202


class BadAudio(InputError):
    code = 203


class BadText(InputError):
    code = 204


class BadPreset(InputError):
    code = 205


class BadSession(InputError):
    code = 206


class BadCorpus(InputError):
    code = 207


class SceneError(WildtrackError):
    """The session does not hold what was asked for, or cannot hold more."""

    exit_code = 4


class UnknownScene(SceneError):
    code = 300


class UnknownSource(SceneError):
    code = 301


class UnknownTake(SceneError):
    code = 302


class UnknownJob(SceneError):
    code = 303


class TooManySources(SceneError):
    code = 304


class NothingToRender(SceneError):
    code = 305


class NothingToUndo(SceneError):
    code = 306


class WrongKind(SceneError):
    code = 307


class ModelError(WildtrackError):
    """Packs, weights and devices."""

    exit_code = 5


class PackMissing(ModelError):
    code = 400


class PackCorrupt(ModelError):
    code = 401


class BadCheckpoint(ModelError):
    code = 402


class DeviceUnavailable(ModelError):
    code = 403


class PackageMissing(ModelError):
    code = 404


class PackInUse(ModelError):
    code = 405


class EngineError(WildtrackError):
    """The engine process, its session folder, its ports."""

    exit_code = 6


class QueueFull(EngineError):
    code = 500


class SessionNotWritable(EngineError):
    code = 501


class PortInUse(EngineError):
    code = 502


class EngineUnreachable(EngineError):
    code = 503


class DiskFull(EngineError):
    code = 504


class OutOfMemory(EngineError):
    code = 505


class InternalError(EngineError):
    code = 599
