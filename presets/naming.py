"""File names by the Universal Category System: ``CatID_FXName_CreatorID_SourceID.wav``.

``cat_ids.csv`` holds CatIDs of UCS 8.2 for what the starter pack can sound like (facts of the
public list; not all of its 752), each with the words that lead to it.
"""

from __future__ import annotations

import csv
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources
from itertools import count
from typing import Final

FALLBACK_CAT_ID: Final = "DSGNMisc"
"""A label that no keyword knows: "DESIGNED / MISC", since a model, not a microphone, made it."""

MIX_CAT_ID: Final = "MIX"
MAX_FX_NAME: Final = 40
MAX_CREATOR_ID: Final = 16
MAX_SOURCE_ID: Final = 48
MAX_NAME_BYTES: Final = 200
NOTHING: Final = "NONE"
"""What UCS writes into a field that has no value."""

_ARTICLES: Final = frozenset({"a", "an", "the"})
_FORBIDDEN = re.compile(r'[\x00-\x1f\x7f<>:"/\\|?*_]+')


@dataclass(frozen=True)
class CatId:
    """One UCS subcategory; ``keywords`` are lower case, words of a phrase joined by ``_``."""

    id: str
    category: str
    subcategory: str
    keywords: tuple[str, ...] = ()


@cache
def cat_ids() -> dict[str, CatId]:
    """The table by CatID, in file order."""
    text = (resources.files("presets") / "cat_ids.csv").read_text(encoding="utf-8")
    rows = csv.DictReader(text.splitlines())
    table = {
        row["cat_id"]: CatId(
            row["cat_id"], row["category"], row["subcategory"], tuple(row["keywords"].split())
        )
        for row in rows
    }
    table[MIX_CAT_ID] = CatId(MIX_CAT_ID, "ARCHIVED", "MIX")
    return table


def cat_id_for(label: str, wanted: str = "") -> CatId:
    """The CatID for a free label; ``wanted``, when the table has it, wins.

    The longest phrase found in the label decides, then the one that comes first
    ("dog barking in the rain" is a dog). Without any: ``FALLBACK_CAT_ID``.
    """
    table = cat_ids()
    if wanted in table:
        return table[wanted]
    words = _words(label)
    for length in range(min(_longest_phrase(), len(words)), 0, -1):
        for start in range(len(words) - length + 1):
            found = _by_keyword().get("_".join(words[start : start + length]))
            if found:
                return table[found]
    return table[FALLBACK_CAT_ID]


def file_name(cat_id: str, fx_name: str, creator_id: str, source_id: str, number: int = 1) -> str:
    """``CatID_FXName_CreatorID_SourceID.wav``, safe on every file system.

    Underscores divide the fields, so none is left inside a field; path separators, reserved
    and invisible characters become spaces; letters of any script stay (NFC). A ``number`` above
    1 ends the FXName (``Dog 02``), which is cut to leave room for it. The whole name has at most
    ``MAX_NAME_BYTES`` bytes of UTF-8.
    """
    suffix = f" {number:02d}" if number > 1 else ""
    fields = [
        _field(cat_id, 16).replace(" ", ""),
        _field(fx_name, MAX_FX_NAME - len(suffix)),
        _field(creator_id, MAX_CREATOR_ID),
        _field(source_id, MAX_SOURCE_ID),
    ]
    fixed = len("_".join([fields[0], suffix, *fields[2:]]).encode()) + len(".wav")
    fields[1] = _cut_bytes(fields[1], MAX_NAME_BYTES - fixed) + suffix
    return "_".join(fields) + ".wav"


def unique_file_names(
    sounds: Sequence[tuple[str, str]], creator_id: str, source_id: str
) -> list[str]:
    """A name for each (CatID, FXName), no two the same: ``Dog``, then ``Dog 02``.

    Decided on the whole names as they would be written, and told apart also by a file system
    that ignores case or the way accents are composed.
    """
    taken: set[str] = set()
    names = []
    for cat_id, wanted in sounds:
        tries = (file_name(cat_id, wanted, creator_id, source_id, n) for n in count(1))
        name = next(name for name in tries if _caseless(name) not in taken)
        taken.add(_caseless(name))
        names.append(name)
    return names


def fx_name_in(name: str) -> str:
    """The FXName of a name that ``file_name`` made."""
    return name.split("_")[1]


def fx_name(label: str) -> str:
    """A label as a name: ``"dog barking"`` -> ``"Dog Barking"``; empty -> ``"Sound"``."""
    words = label.replace("_", " ").split()
    return " ".join(word[:1].upper() + word[1:] for word in words) or "Sound"


def _field(text: str, longest: int) -> str:
    text = unicodedata.normalize("NFC", text)
    kept = "".join(" " if _invisible(character) else character for character in text)
    flat = " ".join(_FORBIDDEN.sub(" ", kept).split())
    return _cut_bytes(flat[:longest].strip(" ."), 2 * longest) or NOTHING


def _caseless(name: str) -> str:
    folded = unicodedata.normalize("NFD", name).casefold()
    return unicodedata.normalize("NFD", folded)


def _invisible(character: str) -> bool:
    return unicodedata.category(character) in {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}


def _cut_bytes(text: str, longest: int) -> str:
    return text.encode()[: max(longest, 1)].decode(errors="ignore").strip(" .")


def _words(label: str) -> list[str]:
    plain = unicodedata.normalize("NFKD", label.lower()).encode("ascii", "ignore").decode()
    words = re.findall(r"[a-z0-9]+", plain)[:200]
    return [_singular(word) for word in words if word not in _ARTICLES]


def _singular(word: str) -> str:
    plural = len(word) > 3 and word.endswith("s") and not word.endswith(("ss", "us", "is"))
    return word[:-1] if plural else word


@cache
def _by_keyword() -> dict[str, str]:
    return {
        "_".join(_singular(word) for word in keyword.split("_")): cat.id
        for cat in cat_ids().values()
        for keyword in cat.keywords
    }


@cache
def _longest_phrase() -> int:
    return max(keyword.count("_") + 1 for keyword in _by_keyword())
