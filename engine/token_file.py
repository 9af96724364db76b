"""The token that opens an engine to other machines: from a file of the user's own, or the
environment; never from the session folder, which may come from somebody else.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping
from pathlib import Path

from osc_bridge.errors import FileMissing, NotAuthorised

MIN_CHARACTERS = 16
MAX_CHARACTERS = 200
VARIABLE = "WILDTRACK_TOKEN"
_FLAGS = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
_CURE = (
    f"write at least {MIN_CHARACTERS} characters into a file that only you can read "
    "(python -c 'import secrets; print(secrets.token_urlsafe())' > token; chmod 600 token) and "
    f"give --token-file token, or set {VARIABLE}"
)


def find_token(file: Path | None, environ: Mapping[str, str]) -> str:
    """Return the token of ``file``, else of the environment, else "".

    Raises FileMissing when the file cannot be read, NotAuthorised when others can read or
    replace it, or when the token is too short, too long or not plain text.
    """
    text = _own_file(file) if file is not None else environ.get(VARIABLE, "")
    token = text.strip()
    if (file is not None or token) and not _is_good(token):
        raise NotAuthorised(
            f"The token has {len(token)} characters; allowed are {MIN_CHARACTERS} to "
            f"{MAX_CHARACTERS} printable characters without spaces: {_CURE}."
        )
    return token


def require_token(bind: str, token: str) -> None:
    """Raise NotAuthorised when an engine would open itself to other machines without one."""
    if bind and not token:
        raise NotAuthorised(
            f"--bind {bind[:60]} opens the engine to other machines; that needs a token which "
            f"their hello carries: {_CURE}."
        )


def _is_good(token: str) -> bool:
    printable = token.isascii() and token.isprintable() and " " not in token
    return printable and MIN_CHARACTERS <= len(token) <= MAX_CHARACTERS


def _own_file(path: Path) -> str:
    try:
        handle = os.open(path, _FLAGS)
        try:
            _require_own(path, os.fstat(handle))
            return os.read(handle, 4 * MAX_CHARACTERS).decode("utf-8", "replace")
        finally:
            os.close(handle)
    except OSError as error:
        raise FileMissing(
            f"The token file {path} cannot be read ({error.strerror}); {_CURE}."
        ) from error


def _require_own(path: Path, state: os.stat_result) -> None:
    if not stat.S_ISREG(state.st_mode):
        raise FileMissing(f"The token file {path} is not a file; {_CURE}.")
    if not hasattr(os, "getuid"):  # Windows: the user's own folders are closed to others
        return
    if state.st_uid != os.getuid() or state.st_mode & 0o077:
        raise NotAuthorised(
            f"The token file {path} can be used by others (mode {state.st_mode & 0o777:o}); it "
            f"must be your own and closed to others: chmod 600 {path}."
        )
