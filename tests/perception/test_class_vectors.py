"""The stored vectors of the class names are those that the text encoder makes."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from engine.perception import class_vectors as stored
from engine.perception.class_vectors import class_vectors, prompts
from engine.perception.efficientnet import class_names
from engine.perception.text import MiniLMTextEncoder


def test_the_stored_vectors_are_the_text_encoders(texts: MiniLMTextEncoder) -> None:
    names = class_names()
    chosen = range(0, len(names), 40)
    fresh = texts.encode_many([prompts(names)[index] for index in chosen])
    kept = class_vectors(names, texts)
    assert kept.shape == (1000, 384)
    assert (kept[list(chosen)] * fresh).sum(-1).min() > 0.99999
    torch.testing.assert_close(kept.norm(dim=-1), torch.ones(1000))


def test_other_names_get_vectors_of_their_own(
    texts: MiniLMTextEncoder, caplog: pytest.LogCaptureFixture
) -> None:
    names = ["dog", "rain"]
    found = class_vectors(names, texts)
    torch.testing.assert_close(found, texts.encode_many(prompts(names)))
    assert "other names" in caplog.text


@pytest.mark.parametrize("content", [None, b"", b"\0" * 100])
def test_a_damaged_file_costs_time_and_nothing_else(
    texts: MiniLMTextEncoder,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    content: bytes | None,
) -> None:
    path = tmp_path / "vectors.safetensors"
    if content is not None:
        path.write_bytes(content)
    monkeypatch.setattr(stored, "STORED", path)
    assert class_vectors(["dog"], texts).shape == (1, 384)
