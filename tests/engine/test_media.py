"""The session's own copies: of what was checked, and only for what was added."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import soundfile
from PIL import Image

from engine.audio import load_audio
from engine.media import MediaStore, Original, overlaid
from engine.perception.frames import load_frame
from osc_bridge.errors import BadAudio, BadImage, FileMissing, OutOfRange, TooManySources

if TYPE_CHECKING:
    from engine.audio import Wave


@pytest.fixture
def store(tmp_path: Path) -> MediaStore:
    (tmp_path / "media").mkdir()
    return MediaStore(tmp_path)


@pytest.fixture
def sound(tmp_path: Path) -> Path:
    path = tmp_path / "sound"
    path.write_bytes(b"fLaC and so on")
    return path


def test_the_same_content_is_kept_once(store: MediaStore, sound: Path, tmp_path: Path) -> None:
    with store.keeping(Original.at(sound)) as name:
        assert (tmp_path / name).read_bytes() == sound.read_bytes()
    before = (tmp_path / name).stat()
    with store.keeping(Original.at(sound)) as again:
        assert again == name
    assert (tmp_path / name).stat() == before
    assert name.endswith(".flac")


def test_a_block_that_fails_leaves_only_what_was_there(
    store: MediaStore, sound: Path, tmp_path: Path
) -> None:
    for there in (0, 1):
        with pytest.raises(TooManySources), store.keeping(Original.at(sound)):
            raise TooManySources("no room")
        assert len(list((tmp_path / "media").iterdir())) == there
        with store.keeping(Original.at(sound)):
            pass


def test_a_file_that_changed_since_it_was_checked_is_refused(
    store: MediaStore, sound: Path, tmp_path: Path
) -> None:
    original = Original.at(sound)
    status = sound.stat()
    sound.write_bytes(b"fLaC another one")
    os.utime(sound, ns=(status.st_atime_ns, status.st_mtime_ns))
    with pytest.raises(FileMissing, match="changed"), store.keeping(original):
        pass
    assert list((tmp_path / "media").iterdir()) == []


@pytest.mark.parametrize("link", [False, True])
def test_a_copy_that_is_not_what_its_name_says_is_replaced(
    store: MediaStore, sound: Path, tmp_path: Path, link: bool
) -> None:
    with store.keeping(Original.at(sound)) as name:
        pass
    copy, other = tmp_path / name, tmp_path / "other"
    other.write_bytes(b"damaged")
    copy.unlink()
    if link:
        copy.symlink_to(other)
    else:
        copy.write_bytes(b"damaged")
    with store.keeping(Original.at(sound)):
        pass
    assert copy.read_bytes() == sound.read_bytes()
    assert not copy.is_symlink()
    assert other.read_bytes() == b"damaged"


def kept(store: MediaStore, path: Path) -> str:
    with store.keeping(Original.at(path)) as name:
        return name


def tone(samples: int, level: float, seed: int = 0) -> Wave:
    noise = np.random.default_rng(seed).uniform(-level, level, samples)
    return noise.astype(np.float32)


@pytest.fixture
def recording(store: MediaStore, tmp_path: Path) -> tuple[str, Wave]:
    """A mono clip of a second at 48 kHz in the store, and what is in it."""
    wave = tone(48_000, 0.5)
    path = tmp_path / "recording.wav"
    soundfile.write(path, wave, 48_000, subtype="FLOAT")
    return kept(store, path), wave


def heard(tmp_path: Path, name: str) -> Wave:
    return load_audio(tmp_path / name, 48_000, [tmp_path])


@pytest.mark.parametrize(("at", "cut"), [(0, 24_000), (2_400, 2_400), (45_600, 45_600)])
def test_the_parts_of_a_cut_sound_are_the_sound(
    store: MediaStore, recording: tuple[str, Wave], tmp_path: Path, at: int, cut: int
) -> None:
    media, wave = recording
    with store.keeping_cut(media, at) as parts:
        waves = [heard(tmp_path, part) for part in parts]
    assert [len(part) for part in waves] == [cut, 48_000 - cut]
    assert np.array_equal(np.concatenate(waves), wave)
    with store.keeping_cut(media, at) as again:
        assert again == parts, "the same content has the same name"
    assert len(list((tmp_path / "media").iterdir())) == 3


def test_a_part_too_short_to_be_heard_is_refused(
    store: MediaStore, recording: tuple[str, Wave], tmp_path: Path
) -> None:
    with pytest.raises(OutOfRange, match="2400 to 45600"), store.keeping_cut(recording[0], 7):
        pass
    assert len(list((tmp_path / "media").iterdir())) == 1


def test_sounds_laid_over_each_other_are_their_sum(
    store: MediaStore, recording: tuple[str, Wave], tmp_path: Path
) -> None:
    media, wave = recording
    other = tone(60_000, 0.9, seed=1)
    soundfile.write(tmp_path / "other.wav", other, 48_000, subtype="FLOAT")
    second = kept(store, tmp_path / "other.wav")
    for clips in ([media, second], [second, media]):
        with store.keeping_overlay(clips) as name:
            mixed = heard(tmp_path, name)
        expected = other.copy()
        expected[:48_000] += wave
        assert np.array_equal(mixed, expected)


def test_a_sum_that_no_file_may_hold_is_refused() -> None:
    loud = np.full(4_800, 600.0, dtype=np.float32)
    with pytest.raises(BadAudio, match="reach 1200; the allowed range is -1000 to 1000"):
        overlaid([loud, loud])
    assert overlaid([loud, -loud]).max() == 0.0


def test_clips_whose_edit_fails_are_not_kept(
    store: MediaStore, recording: tuple[str, Wave], tmp_path: Path
) -> None:
    media = recording[0]
    before = sorted((tmp_path / "media").iterdir())
    with pytest.raises(TooManySources), store.keeping_cut(media, 0):
        raise TooManySources("no room")
    with pytest.raises(TooManySources), store.keeping_overlay([media, media]):
        raise TooManySources("no room")
    assert sorted((tmp_path / "media").iterdir()) == before


def test_a_second_part_that_cannot_be_written_leaves_no_first(
    store: MediaStore,
    recording: tuple[str, Wave],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from presets.files import write_whole

    done: list[Path] = []

    def full(path: Path, data: bytes) -> None:
        if done:
            raise OSError(28, "No space left on device")
        done.append(path)
        write_whole(path, data)

    monkeypatch.setattr("engine.media.write_whole", full)
    with pytest.raises(OSError, match="No space"), store.keeping_cut(recording[0], 0):
        pass
    assert len(done) == 1
    assert len(list((tmp_path / "media").iterdir())) == 1


def test_a_clip_that_is_gone_or_linked_outside_is_refused(
    store: MediaStore, recording: tuple[str, Wave], tmp_path: Path
) -> None:
    clip = tmp_path / recording[0]
    outside = tmp_path / "outside.wav"
    clip.rename(outside)
    for link in (False, True):
        if link:
            clip.symlink_to(outside)
        with pytest.raises(FileMissing, match="session"), store.keeping_cut(recording[0], 0):
            pass


@pytest.mark.parametrize("suffix", ["png", "jpg", "webp", "tif", "bmp", "gif"])
def test_the_size_of_a_picture_is_that_of_the_upright_picture(
    store: MediaStore, tmp_path: Path, suffix: str
) -> None:
    for orientation in (1, 3, 6, 8) if suffix not in ("bmp", "gif") else (1,):
        path = tmp_path / f"{orientation}.{suffix}"
        image = Image.new("RGB", (24, 16), (orientation, 0, 0))
        exif = Image.Exif()
        exif[0x0112] = orientation
        image.save(path, **({} if suffix in ("bmp", "gif") else {"exif": exif}))
        media = kept(store, path)
        assert store.picture_size(media) == load_frame(path).size
        assert store.picture_size(media) == ((24, 16) if orientation in (1, 3) else (16, 24))


def test_a_picture_that_is_gone_or_damaged_is_refused(store: MediaStore, tmp_path: Path) -> None:
    path = tmp_path / "frame.png"
    Image.new("RGB", (24, 16)).save(path)
    media = kept(store, path)
    (tmp_path / media).write_bytes(path.read_bytes()[:20])
    with pytest.raises(BadImage, match="damaged"):
        store.picture_size(media)
    (tmp_path / media).unlink()
    with pytest.raises(FileMissing, match="back from a copy"):
        store.picture_size(media)


def test_regions_that_find_no_room_leave_no_copy(tcp_engine: Any, picture: Path) -> None:
    scene = tcp_engine.scene(*(f"sound {number}" for number in range(63)))
    with pytest.raises(TooManySources):
        tcp_engine.client.add_image(scene, picture)
    assert tcp_engine.files("media") == {}
    assert tcp_engine.client.add_image(scene, picture, "the last") == ("s64",)
    assert len(tcp_engine.files("media")) == 1
