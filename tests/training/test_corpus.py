from __future__ import annotations

from pathlib import Path

import pytest

from engine.training.corpus import read_clips, read_pictures, require_judged
from engine.training.licences import is_trainable
from engine.training.pictures import matches, trainable
from osc_bridge.errors import BadCorpus, FileMissing


@pytest.mark.parametrize("licence", ["CC0", "GPL-2+", "CC-BY-SA-3.0", "CC0/PD", "text:PD|GPL-3"])
def test_compatible_licences_may_shape_the_weights(licence: str) -> None:
    assert is_trainable(licence)


@pytest.mark.parametrize(
    "licence", ["GPL-2", "text:GPL-2.", "text:PD|GPL-2|BSD", "Artistic", "text:CHECK:BSD", ""]
)
def test_unclear_or_incompatible_licences_may_not(licence: str) -> None:
    assert not is_trainable(licence)


def test_only_the_train_split_with_a_fit_licence_is_trained_on(corpus: Path) -> None:
    chosen = [clip.path.name for clip in read_clips(corpus) if clip.trainable]
    assert chosen == ["a.wav", "b.wav", "c.wav", "g.wav", "h.wav", "i.wav"]


def test_pictures_of_held_out_packages_are_not_trained_on(corpus: Path) -> None:
    clips, pictures = read_clips(corpus), read_pictures(corpus)
    chosen = trainable(pictures, clips)
    assert [picture.name for picture in chosen] == ["red.png"]
    assert matches(clips, chosen) == [[], [], [0], [0], [], [0], [0], [], []]


def test_a_missing_corpus_says_where_the_layout_is_described(tmp_path: Path) -> None:
    with pytest.raises(FileMissing, match=r"docs/training-data\.md"):
        read_clips(tmp_path)


def test_a_missing_column_is_named(tmp_path: Path) -> None:
    (tmp_path / "sounds.csv").write_text("file,split\na.wav,train\n")
    with pytest.raises(BadCorpus, match="duration_s, foley_class, licence, package, text"):
        read_clips(tmp_path)


@pytest.mark.parametrize("seconds", ["abc", "", "-1", "nan", "1e9"])
def test_a_wrong_duration_names_line_and_range(corpus: Path, tmp_path: Path, seconds: str) -> None:
    lines = (corpus / "sounds.csv").read_text().splitlines()
    lines[2] = lines[2].removesuffix("1.0") + seconds
    (tmp_path / "sounds.csv").write_text("\n".join(lines))
    with pytest.raises(BadCorpus, match=r"line 3: .*above 0 and below 3600"):
        read_clips(tmp_path)


def test_an_empty_table_says_so(corpus: Path, tmp_path: Path) -> None:
    head = (corpus / "sounds.csv").read_text().splitlines()[0]
    (tmp_path / "sounds.csv").write_text(head)
    with pytest.raises(BadCorpus, match="has no rows"):
        read_clips(tmp_path)


def test_what_a_model_card_lacks_is_counted(corpus: Path) -> None:
    with pytest.raises(BadCorpus, match="has 0 classes with at least 5 sounds in test"):
        require_judged(read_clips(corpus))
