"""What a killed engine leaves behind is removed, and nothing else."""

from __future__ import annotations

from pathlib import Path

from engine.config import SESSION_FOLDERS, prepare_session
from engine.leftovers import remove_leftovers

PART = ".0123456789abcdef.part"


def test_only_what_is_ours_goes(tmp_path: Path) -> None:
    session = prepare_session(tmp_path / "session")
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / PART).write_text("theirs")
    ours = [session / PART, *(session / name / f"{PART}.wav" for name in SESSION_FOLDERS)]
    whole, half, empty = (session / "takes" / name for name in ("t0001", "t0002", "t0003"))
    for take in (whole, half, empty):
        take.mkdir()
    (whole / "take.json").write_text("{}")
    ours += [whole / PART, half / f"{PART}.json"]
    for path in ours:
        path.write_text("half of")
    kept = [
        session / "media" / ".0123.part",
        session / "media" / "0123456789abcdef.part",
        session / "stems" / f"{PART}.wav.bak",
        session / ".DS_Store",
        whole / "take.json",
    ]
    for path in kept[:-1]:
        path.write_text("somebody's")
    (session / "stems" / f"{PART}.png").symlink_to(outside / PART)
    (session / "takes" / "t0009").symlink_to(outside)
    (session / "scenes" / f"{PART}.json").mkdir()

    removed = remove_leftovers(session)

    assert set(removed) == {*ours, half, empty}
    assert not any(path.exists() for path in removed)
    assert all(path.exists() for path in kept)
    assert (outside / PART).read_text() == "theirs"
    assert (session / "stems" / f"{PART}.png").is_symlink()
    assert (session / "scenes" / f"{PART}.json").is_dir()
    assert remove_leftovers(session) == []
