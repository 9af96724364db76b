"""The text encoder: equal to the published model, near for near meanings, independent rows."""

from __future__ import annotations

import pytest
import torch

from engine.perception.text import MAX_TEXT_CHARS, MiniLMTextEncoder, check_text
from osc_bridge.errors import BadText

# Made once with sentence-transformers 6.2.0: the first six numbers of each vector.
PUBLISHED = {
    "a dog barks twice far away": [0.0727, -0.0141, 0.0501, 0.0714, 0.0106, -0.0181],
    "Ünïcode wörds & 日本": [-0.0052, -0.0067, 0.0608, -0.0697, -0.0872, 0.0351],
    "rain": [-0.0259, 0.0191, 0.0624, 0.0714, 0.0483, 0.0106],
}


def test_equals_the_published_model(texts: MiniLMTextEncoder) -> None:
    rows = texts.encode(list(PUBLISHED))
    expected = torch.tensor(list(PUBLISHED.values()))
    assert torch.allclose(rows[:, :6], expected, atol=1e-4)


def test_rows_are_unit_vectors_and_independent(texts: MiniLMTextEncoder) -> None:
    words = ["thunder", "a long freight train passes over a steel bridge", "glass"]
    rows = texts.encode(words)
    assert rows.shape == (3, texts.dim)
    assert torch.allclose(rows.norm(dim=1), torch.ones(3), atol=1e-6)
    assert torch.equal(texts.encode(words[1:2]), rows[1:2])
    assert torch.allclose(texts.encode_many(words), rows, atol=1e-5)


def test_no_texts_give_no_rows(texts: MiniLMTextEncoder) -> None:
    assert texts.encode([]).shape == (0, 384)
    assert texts.encode_many([]).shape == (0, 384)


@pytest.mark.parametrize(
    ("near", "far"), [("a hound is barking", "a kettle boils"), ("puppy woofing", "violin")]
)
def test_near_meanings_are_near(texts: MiniLMTextEncoder, near: str, far: str) -> None:
    dog, close, distant = texts.encode(["a dog barks", near, far])
    assert float(dog @ close) > float(dog @ distant) + 0.2


def test_vectors_can_be_trained_on(texts: MiniLMTextEncoder) -> None:
    weight = torch.ones(384, requires_grad=True)
    (texts.encode(["rain"]) * weight).sum().backward()  # type: ignore[no-untyped-call]
    assert weight.grad is not None


def test_long_words_are_cut_at_the_models_length(texts: MiniLMTextEncoder) -> None:
    row = texts.encode(["日" * MAX_TEXT_CHARS])
    assert torch.isfinite(row).all()


@pytest.mark.parametrize("text", ["", "  \n\t "])
def test_empty_text(texts: MiniLMTextEncoder, text: str) -> None:
    with pytest.raises(BadText, match="is empty; give 1 to 1000 characters"):
        texts.encode([text])


def test_ten_thousand_characters() -> None:
    with pytest.raises(BadText, match="has 10000 characters, allowed are 1 to 1000; shorten"):
        check_text("x" * 10_000)


def test_text_is_stripped(texts: MiniLMTextEncoder) -> None:
    assert check_text("  rain\n") == "rain"
    assert torch.equal(texts.encode([" rain "]), texts.encode(["rain"]))
