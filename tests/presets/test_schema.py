"""Chains as data: what is inside the package is valid, what is hostile is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from presets.schema import (
    EFFECTS,
    MAX_CHAIN_BYTES,
    PresetError,
    builtin_chain,
    chain_names,
    load_chain,
    parse_chain,
)


def test_the_promised_chains_are_there() -> None:
    promised = "near far behind_a_door telephone small_room hall under_water heavier dry"
    assert set(promised.split()) <= set(chain_names())


@pytest.mark.parametrize("name", chain_names())
def test_every_chain_is_valid_and_says_what_it_is(name: str) -> None:
    chain = builtin_chain(name)
    assert chain.name == name
    assert chain.summary.endswith(".")
    assert bool(chain.effects) == (name != "dry")


def test_no_name_is_dry() -> None:
    assert builtin_chain("") == builtin_chain("dry")


def test_a_chain_from_a_file(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text('[[effects]]\neffect = "high_pass"\ncutoff_hz = 100\n')
    chain = load_chain(str(path))
    assert chain.name == "mine"
    assert dict(chain.effects[0].values) == {"cutoff_hz": 100.0, "order": 2.0}


def effect(body: str) -> str:
    return f"[[effects]]\n{body}\n"


@pytest.mark.parametrize(
    ("text", "mentions"),
    [
        ("title = ", ["not valid TOML"]),
        ("titel = 'x'", ["titel", "allowed are"]),
        ("title = 5", ["title", "0 to 200 characters"]),
        ("channels = 'quad'", ["quad", "mono", "stereo"]),
        ("effects = 3", ["[[effects]]"]),
        (effect("effect = 'os.system'"), ["os.system", "high_pass"]),
        (effect("effect = '__import__'"), ["__import__"]),
        (effect("effect = 'gain'"), ["gain_db", "missing", "dB"]),
        (effect("effect = 'gain'\ngain_db = nan"), ["nan", "-96 to 24 dB"]),
        (effect("effect = 'gain'\ngain_db = inf"), ["inf", "-96 to 24 dB"]),
        (effect("effect = 'gain'\ngain_db = 99"), ["99", "-96 to 24 dB"]),
        (effect("effect = 'gain'\ngain_db = true"), ["not a number"]),
        (effect("effect = 'gain'\ngain_db = '3'"), ["not a number", "-96 to 24 dB"]),
        (effect("effect = 'gain'\ngain_db = 1\nx = 2"), ["unknown 'x'"]),
        (effect("effect = 'low_pass'\ncutoff_hz = 900\norder = 2.5"), ["whole", "1 to 8"]),
        (effect("effect = 'delay'\ntime_ms = 9\nfeedback = 1.5"), ["feedback", "0 to 0.9"]),
        (effect("effect = 'gain'\ngain_db = 0") * 33, ["33 effects", "0 to 32"]),
        ("a = " + "[" * 5000, ["not valid TOML"]),
    ],
)
def test_what_is_wrong_is_named_with_the_range(text: str, mentions: list[str]) -> None:
    with pytest.raises(PresetError) as caught:
        parse_chain(text, "bad", "bad.toml")
    assert all(mention in str(caught.value) for mention in ["bad.toml", *mentions])
    assert len(str(caught.value)) < 500


def test_a_huge_number_is_refused_shortly() -> None:
    with pytest.raises(PresetError) as caught:
        parse_chain(effect("effect = 'gain'\ngain_db = 1" + "0" * 400), "bad", "bad.toml")
    assert len(str(caught.value)) < 300


@pytest.mark.parametrize("name", ["nope", "../../etc/passwd", "dry/", "hall\n", "Hall "])
def test_an_unknown_name_lists_what_there_is(name: str) -> None:
    with pytest.raises(PresetError, match="choose one of behind_a_door"):
        builtin_chain(name)


def test_a_path_is_never_a_builtin_name(tmp_path: Path) -> None:
    (tmp_path / "x.toml").write_text("")
    with pytest.raises(PresetError):
        builtin_chain(str(tmp_path / "x.toml"))


@pytest.mark.parametrize("content", [b"\xff\xfe\x00", b"# " + b"x" * MAX_CHAIN_BYTES])
def test_a_file_that_is_no_chain(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "x.toml"
    path.write_bytes(content)
    with pytest.raises(PresetError, match=r"x\.toml"):
        load_chain(path)


@pytest.mark.parametrize("name", ["none.toml", ".toml", "a\0b.toml"])
def test_a_missing_file(tmp_path: Path, name: str) -> None:
    with pytest.raises(PresetError):
        load_chain(f"{tmp_path}/{name}")


def test_every_parameter_states_a_unit_or_is_a_plain_ratio() -> None:
    plain = {"q", "depth", "feedback"}
    for parameters in EFFECTS.values():
        for name, limits in parameters.items():
            assert limits.unit or name in plain
            assert limits.lowest < limits.highest
            assert limits.default is None or limits.admits(limits.default)
