"""UCS names: the right category, a name every file system takes."""

from __future__ import annotations

import re
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from presets.naming import (
    FALLBACK_CAT_ID,
    cat_id_for,
    cat_ids,
    file_name,
    fx_name,
    fx_name_in,
    unique_file_names,
)

FOLEY_CLASSES_TEXT = """
grass_leaves scream_pain horse cow chicken_rooster bird pig sheep_goat bow_arrow boat_ship
hammer_smith door crowd saw elephant explosion fire footsteps snow_ice_sand punch_hit_flesh
wolf_growl_roar chop_wood dig_stone water_river metal_hit laser_scifi sword_blade gun_shot
thunder cannon_artillery bell earthquake_rumble rain wind drill_machine car_engine
rocket_spaceship drip_bubble kiss_whistle_human bounce_jump siren_alarm splash tyre_skid_crash
eat_drink magic_spell mouse_small_animal coins paper laugh guitar keyboard_typing whoosh
crow_raven frog wood_hit seagull lock_key_chain train applause electric_spark glass cat
helicopter clock cymbal_hihat aeroplane violin_strings choir_voice flute_wind_instr sea_waves
machine_gun thud_drop dog owl heartbeat_breath scissors_zip_cloth insect_bee piano bass
trumpet_brass xylophone_mallet drum phone baby_cry camera cough_sneeze_snore duck_goose horn
monkey snake_hiss whale_dolphin motorcycle
"""


@pytest.mark.parametrize("label", FOLEY_CLASSES_TEXT.split())
def test_every_class_the_starter_knows_has_a_category(label: str) -> None:
    assert cat_id_for(label).id != FALLBACK_CAT_ID


@pytest.mark.parametrize(
    ("label", "expected"),
    [
        ("a dog barking in the rain", "ANMLDog"),
        ("Siberian husky", "ANMLDog"),
        ("church bells", "BELLLrg"),
        ("footsteps on gravel", "FEETHmn"),
        ("machine gun", "GUNAuto"),
        ("rain on window", "RAINGlas"),
        ("Rain on the windows", "RAINGlas"),
        ("dripping tap", "WATRDrip"),
        ("electric guitar", "MUSCStr"),
        ("Straßenbahn", FALLBACK_CAT_ID),
        ("", FALLBACK_CAT_ID),
    ],
)
def test_free_labels(label: str, expected: str) -> None:
    assert cat_id_for(label).id == expected


def test_a_wanted_cat_id_wins_and_an_unknown_one_does_not() -> None:
    assert cat_id_for("dog", "RAIN").id == "RAIN"
    assert cat_id_for("dog", "../../etc").id == "ANMLDog"


def test_ids_have_the_shape_of_ucs_and_the_fallback_exists() -> None:
    assert FALLBACK_CAT_ID in cat_ids()
    for cat in cat_ids().values():
        assert re.fullmatch(r"[A-Z]{2,5}([A-Z][a-z]{1,5})?", cat.id), cat.id


def test_keywords_belong_to_one_category_each() -> None:
    keywords = [keyword for cat in cat_ids().values() for keyword in cat.keywords]
    assert len(keywords) == len(set(keywords))


def test_a_name() -> None:
    name = file_name("ANMLDog", fx_name("dog barking"), "WT", "Alley-t0001")
    assert name == "ANMLDog_Dog Barking_WT_Alley-t0001.wav"


@given(st.text(max_size=300), st.text(max_size=100), st.text(max_size=100))
def test_any_text_makes_a_safe_name(fx: str, creator: str, source: str) -> None:
    name = file_name("DSGNMisc", fx, creator, source)
    assert len(name.encode()) <= 200
    assert name.count("_") == 3
    assert name.endswith(".wav")
    assert not re.search(r'[\x00-\x1f\x7f<>:"/\\|?*\u202e]', name)
    assert all(part and part == part.strip(" .") for part in name[:-4].split("_"))


LIKE_LABELS = st.sampled_from(
    ["rain", "rain.", "Rain", "Door: slam", "Door slam", "Dog", "Dog 02", "犬" * 60, "犬" * 61]
)
"""Labels that lose their differences on the way into a file name."""


@given(st.lists(LIKE_LABELS | st.text(max_size=60), max_size=65), st.text(max_size=30))
def test_any_labels_make_names_that_differ(labels: list[str], source: str) -> None:
    names = unique_file_names([("ANMLDog", fx_name(label)) for label in labels], "WT", source)
    assert len({unicodedata.normalize("NFC", name.casefold()) for name in names}) == len(labels)
    assert all(len(name.encode()) <= 200 for name in names)
    assert all(len(fx_name_in(name)) <= 40 for name in names)


def test_numbers_make_room_and_step_over_taken_names() -> None:
    dogs = unique_file_names([("ANMLDog", name) for name in ("Dog", "Dog 02", "Dog")], "WT", "A")
    assert [fx_name_in(name) for name in dogs] == ["Dog", "Dog 02", "Dog 03"]
    long = unique_file_names([("ANMLDog", "x" * 90)] * 2, "WT", "A")
    assert [fx_name_in(name) for name in long] == ["x" * 40, "x" * 37 + " 02"]


@given(st.text(max_size=300))
def test_any_label_has_a_category(label: str) -> None:
    assert cat_id_for(label).id in cat_ids()
