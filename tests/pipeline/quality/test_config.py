"""The profiles: each threshold on its two sides, each difference between code and paper, and what a manifest may change."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from pipeline.measure.expression_lists import ExpressionLists
from pipeline.measure.stage import measure
from pipeline.measure.table import MEASURES
from pipeline.quality.config import QualityConfig, rules_of
from pipeline.quality.profiles import PROFILES
from pipeline.rules import Rule, judge
from tests.pipeline.measure.restatement import swallow_keeps

# The numbers of a page that every rule keeps.
GOOD = {
    **{measure.name: 0.0 for measure in MEASURES},
    **{"num_letters": 1000, "num_japanese_letters": 900, "hiragana_fraction": 0.5, "japanese_fraction": 0.9},
    **{"avg_sentence_length": 40, "max_sentence_length": 100},
}


def after(value: float) -> float:
    return math.nextafter(value, math.inf)


def before(value: float) -> float:
    return math.nextafter(value, -math.inf)


# (measure, a value on the kept side, the nearest value on the dropped side)
SHARED = [
    ("num_letters", 400, 399),
    ("duplicate_paragraph_fraction", 0.30, after(0.30)),
    ("duplicate_sentence_fraction", 0.30, after(0.30)),
    ("duplicate_paragraph_fraction_in_character", 0.20, after(0.20)),
    ("duplicate_sentence_fraction_in_character", 0.20, after(0.20)),
    ("hiragana_fraction", 0.2, before(0.2)),
    ("japanese_fraction", 0.5, before(0.5)),
    ("avg_sentence_length", 20, before(20)),
    ("avg_sentence_length", 90, after(90)),
]
NGRAMS = {
    **{"top_2gram": 0.20, "top_3gram": 0.18, "top_4gram": 0.16, "duplicate_5gram": 0.15, "duplicate_6gram": 0.14},
    **{"duplicate_7gram": 0.13, "duplicate_8gram": 0.12, "duplicate_9gram": 0.11, "duplicate_10gram": 0.10},
}
SIDES = {
    "swallow_code": [
        *SHARED,
        *((f"{ngram}_character_fraction", limit, after(limit)) for ngram, limit in NGRAMS.items()),
        ("katakana_fraction", 0.5, after(0.5)),
        ("num_japanese_letters", 400, 399),
        ("max_sentence_length", 200, 201),
        ("ellipsis_fraction", 0.2, after(0.2)),
        ("ng_fraction", before(0.05), 0.05),
    ],
    "swallow_paper": [
        *SHARED,
        *((f"gopher_{ngram}_character_fraction", limit, after(limit)) for ngram, limit in NGRAMS.items()),
        ("katakana_fraction", before(0.5), 0.5),
        ("max_sentence_length", 199, 200),
        ("ellipsis_fraction", before(0.2), 0.2),
        ("ng_character_fraction", before(0.05), 0.05),
    ],
}


def failed(rules: tuple[Rule, ...], numbers: dict[str, float]) -> list[str]:
    columns = {name: np.array([value]) for name, value in numbers.items()}
    found: list[str] = judge(rules, ["page"], columns)["failed"][0].as_py()
    return found


def failed_ngrams(profile: str, text: str) -> list[str]:
    return [name for name in failed_by_text(profile, text) if "duplicate" in name and "gram" in name]


def failed_by_text(profile: str, text: str, **lists: list[str]) -> list[str]:
    expressions = ExpressionLists(**{"ng": [], "allowed": [], "dating": [], **lists})
    found: list[str] = judge(PROFILES[profile], ["page"], measure([text], expressions))["failed"][0].as_py()
    return found


@pytest.mark.parametrize(
    ("profile", "name", "kept", "dropped"), [(profile, *side) for profile in SIDES for side in SIDES[profile]]
)
def test_each_threshold_on_its_two_sides(profile: str, name: str, kept: float, dropped: float) -> None:
    assert failed(PROFILES[profile], {**GOOD, name: kept}) == []
    assert failed(PROFILES[profile], {**GOOD, name: dropped}) == [name]


@pytest.mark.parametrize("profile", SIDES)
def test_no_rule_of_a_profile_is_untested(profile: str) -> None:
    assert {rule.name for rule in PROFILES[profile]} == {name for name, _, _ in SIDES[profile]}
    assert sum(len(rule.bounds()) for rule in PROFILES[profile]) == len(SIDES[profile])


@pytest.mark.parametrize("profile", SIDES)
def test_profiles_judge_only_what_is_measured(profile: str) -> None:
    assert {rule.measured for rule in PROFILES[profile]} <= {measure.name for measure in MEASURES}


def test_the_codes_rules_stand_in_the_order_of_the_code_with_ng_expressions_behind() -> None:
    order = [rule.name for rule in PROFILES["swallow_code"]]
    assert order[0] == "num_letters"
    assert order[-2:] == ["ellipsis_fraction", "ng_fraction"]
    assert order.index("num_japanese_letters") == order.index("japanese_fraction") + 1


@settings(max_examples=300)
@given(st.data())
def test_the_codes_decisions_are_those_of_the_restatement(data: st.DataObject) -> None:
    changes = data.draw(st.lists(st.sampled_from(SIDES["swallow_code"]), max_size=3))
    numbers = dict(GOOD)
    for name, kept, dropped in changes:
        numbers[name] = data.draw(st.sampled_from([kept, dropped]))
    assert (failed(PROFILES["swallow_code"], numbers) == []) == swallow_keeps(numbers)


# One test for each difference that docs/quality.md lists. KANJI are letters that do not repeat by themselves.
KANJI = "".join(map(chr, range(0x4E00, 0x9FFF)))


@pytest.mark.parametrize(
    ("name", "bound"), [("katakana_fraction", 0.5), ("max_sentence_length", 200), ("ellipsis_fraction", 0.2)]
)
def test_difference_the_paper_drops_at_the_bound(name: str, bound: float) -> None:
    assert failed(PROFILES["swallow_code"], {**GOOD, name: bound}) == []
    assert failed(PROFILES["swallow_paper"], {**GOOD, name: bound}) == [name]


def test_difference_the_code_wants_400_japanese_letters_too() -> None:
    text = KANJI[:399] + "x" * 101
    assert "num_japanese_letters" in failed_by_text("swallow_code", text)
    assert not {"num_letters", "num_japanese_letters"} & set(failed_by_text("swallow_paper", text))


def test_difference_the_paper_counts_the_letters_of_the_commonest_ngram() -> None:
    # の町 follows every 14 other letters: an eighth of the letters, and a sixteenth of the 2-grams.
    text = "".join(KANJI[start : start + 7] + "の町" for start in range(0, 700, 7))
    assert "top_2gram_character_fraction" not in failed_by_text("swallow_code", text)
    assert "gopher_top_2gram_character_fraction" in failed_by_text("swallow_paper", text)


def test_difference_the_paper_counts_the_letters_of_repeated_ngrams() -> None:
    # More than a sixth of the letters are in a passage that occurs twice, but nine of ten different n-grams occur once.
    text = KANJI[:1100] + KANJI[:110]
    assert failed_ngrams("swallow_code", text) == []
    assert len(failed_ngrams("swallow_paper", text)) == 6


def test_difference_the_code_takes_ng_letters_of_japanese_letters_alone() -> None:
    text = KANJI[:400] + "x" * 600 + "死ね" * 15
    assert "ng_fraction" in failed_by_text("swallow_code", text, ng=["死ね"])
    assert "ng_character_fraction" not in failed_by_text("swallow_paper", text, ng=["死ね"])


def test_difference_the_paper_allows_expressions() -> None:
    text = KANJI[:400] + "ピエロ" * 50
    assert "ng_fraction" in failed_by_text("swallow_code", text, ng=["エロ"], allowed=["ピエロ"])
    assert "ng_character_fraction" not in failed_by_text("swallow_paper", text, ng=["エロ"], allowed=["ピエロ"])


def test_the_code_is_the_default() -> None:
    assert rules_of(QualityConfig()) == PROFILES["swallow_code"]


def rules_with(**section: object) -> dict[str, Rule]:
    return {rule.name: rule for rule in rules_of(QualityConfig.model_validate(section))}


def test_an_override_keeps_the_side_that_it_does_not_name() -> None:
    rule = rules_with(avg_sentence_length={"max": 120})["avg_sentence_length"]
    assert (rule.minimum, rule.maximum) == (20, 120)


def test_an_override_replaces_the_bound_of_its_side_whichever_kind_it_is() -> None:
    rule = rules_with(ng_fraction={"max": 0.1})["ng_fraction"]
    assert (rule.maximum, rule.below) == (0.1, None)
    rule = rules_with(num_letters={"above": 500})["num_letters"]
    assert (rule.minimum, rule.above) == (None, 500)


def test_an_override_keeps_the_rules_place() -> None:
    assert list(rules_with(num_letters={"min": 300})) == [rule.name for rule in PROFILES["swallow_code"]]


def test_null_switches_a_rule_or_a_side_off() -> None:
    assert "ellipsis_fraction" not in rules_with(ellipsis_fraction=None)
    assert rules_with(avg_sentence_length={"max": None})["avg_sentence_length"].bounds() == [("minimum", 20.0)]
    assert "num_letters" not in rules_with(num_letters={"min": None})


def test_new_measures_are_judged_behind_the_profile() -> None:
    rules = rules_with(symbol_fraction={"max": 0.3}, digit_fraction={"below": 0.5}, profile="swallow_paper")
    assert list(rules)[-2:] == ["symbol_fraction", "digit_fraction"]
    assert rules["digit_fraction"].below == 0.5


def test_a_config_is_the_same_after_writing_and_reading() -> None:
    config = QualityConfig.model_validate(
        {"ellipsis_fraction": None, "num_letters": {"min": 300}, "avg_sentence_length": {"max": None}}
    )
    again = QualityConfig.model_validate_json(config.model_dump_json())
    assert again == config
    assert rules_of(again) == rules_of(config)


def test_equal_sections_have_equal_keys_whatever_their_order() -> None:
    one = {"num_letters": {"min": 300}, "profile": "swallow_paper", "ellipsis_fraction": None}
    configs = [QualityConfig.model_validate(section) for section in (one, dict(reversed(one.items())))]
    assert configs[0].model_dump_json() == configs[1].model_dump_json()
    assert len(set(configs)) == 1


@pytest.mark.parametrize(
    ("section", "message"),
    [
        ({"num_leters": {"min": 1}}, "unknown measure 'num_leters'; did you mean 'num_letters'?"),
        ({"profil": "swallow_code"}, "unknown measure 'profil'; did you mean 'profile'?"),
        ({"num_letters": {"mim": 1}}, "unknown bound 'mim'; did you mean 'min'?"),
        ({"num_letters": 300}, "bounds are written as"),
        ({"num_letters": {}}, "no bound is named"),
        ({"num_letters": {"min": 1, "above": 1}}, "above and min bound the same side"),
        ({"num_letters": {"min": math.nan}}, "finite"),
        ({"profile": "swallow"}, "swallow_code"),
    ],
)
def test_a_wrong_section_is_an_error_that_names_the_remedy(section: dict[str, object], message: str) -> None:
    with pytest.raises(ValidationError) as error:
        QualityConfig.model_validate(section)
    assert message in str(error.value)
