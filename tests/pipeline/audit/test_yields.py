"""The yield table: rules with their bounds and meanings, in 120 columns."""

from pathlib import Path

from pipeline.audit.meanings import MEASURES, RULES, meaning
from pipeline.audit.rules_of_corpus import bound_text, read_rules
from pipeline.audit.yields import yield_table
from pipeline.corpus.views import read_ledger
from pipeline.measure import table
from pipeline.rules import Rule


def test_two_bounds_of_a_rule_are_told_apart_and_each_rule_has_a_meaning(corpus: Path) -> None:
    with read_ledger(corpus) as ledger:
        lines = yield_table(ledger).splitlines()
    of_lengths = [line.split() for line in lines if "avg_sentence_length" in line]
    assert [line[2:4] for line in of_lengths] == [[">=", "20"], ["<=", "90"]]
    assert all(line.endswith("mean characters per sentence") for line in lines if "avg_sentence_length" in line)
    assert max(map(len, lines)) <= 120


def test_every_measure_and_every_rule_of_a_corpus_has_a_meaning_that_fits(corpus: Path) -> None:
    assert MEASURES.keys() == {measure.name for measure in table.MEASURES}
    for _, rule in read_rules(corpus):
        assert meaning(rule).en, rule
        assert meaning(rule).ja, rule
    assert max(len(each.en) for each in (MEASURES | RULES).values()) <= 36


def test_a_bound_has_the_sign_of_what_it_keeps() -> None:
    rule = Rule("x", minimum=1, below=3)
    assert [bound_text(rule, each) for each in (1, 3, 2, None)] == [">= 1", "< 3", "2", ""]
    assert bound_text(None, 0.5) == "0.5"
