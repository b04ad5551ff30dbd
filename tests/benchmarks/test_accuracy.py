"""The table of accuracy: its encoders against Python's codecs, its figures against hand counts, and its command line."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.accuracy import encodings
from benchmarks.accuracy.duplicates import CONFIG, against_equals_one_go, by_similarity, clusters_of, jaccard
from benchmarks.accuracy.language import figures, swallow_test
from benchmarks.accuracy.personal_data import figures as figures_of_kind
from benchmarks.accuracy.table import is_installed, not_installed
from pipeline.dedup.minhash import signatures
from tests.pipeline.pii.cases import CASES

# Characters of JIS X 0208 on which Python's codecs and the Web's agree; the wave dash and its like are left out.
PLAIN = st.text(st.sampled_from("あのカナ漢字、。「」ー々〆亜腕弌熙Ωжabc \n<>&"))


@given(PLAIN)
def test_the_encoders_agree_with_pythons_codecs_on_plain_text(text: str) -> None:
    assert encodings.euc_jp(text).decode("euc_jp") == text
    assert encodings.shift_jis(text).decode("shift_jis") == text
    assert encodings.iso_2022_jp(text).decode("iso2022_jp") == text
    assert encodings.utf_16(text).decode("utf-16") == text


@pytest.mark.parametrize(
    ("character", "code"),
    [("①", b"\xad\xa1"), ("㈱", b"\xad\xea"), ("≡", b"\xa2\xe1"), ("髙", b"\xfc\xe2"), ("～", b"\xa1\xc1"), ("ｱ", b"\x8e\xb1")],
)
def test_extensions_have_their_places_in_the_set(character: str, code: bytes) -> None:
    """NEC's and IBM's characters have the rows and cells of the WHATWG index jis0208."""
    assert encodings.euc_jp(character) == code


def test_what_a_charset_lacks_becomes_a_reference() -> None:
    text = encodings.with_references("a①한ｱ〜")
    assert text == "a①&#54620;ｱ&#12316;"


@pytest.mark.parametrize("condition", encodings.CONDITIONS)
def test_every_condition_writes_the_text_that_it_expects(condition: str) -> None:
    page = f"<html><head><title>題</title></head><body>{encodings.EXTENSIONS}{'日本語の本文です。' * 20}</body></html>"
    (case,) = encodings.cases([page], condition)
    label = encodings.CONDITIONS[condition][1]
    assert (f'charset="{label}"' in case.text) == (label is not None)
    assert (encodings.EXTENSIONS in case.text) != condition.startswith("plain")
    assert encodings.kotokura(case)
    assert not encodings.kotokura(case._replace(text=case.text.replace("題", "顕")))


def test_a_codec_that_fails_or_is_unknown_reads_nothing() -> None:
    assert encodings.by_codec("日本".encode("cp932"), "cp932", "日本")
    assert not encodings.by_codec("日本".encode("cp932"), "utf-8", "日本")
    assert not encodings.by_codec(b"x", "x-unknown", "x")


def test_recall_precision_and_the_share_of_others() -> None:
    taken, wanted = [True, True, False, True], [True, False, True, True]
    assert figures(taken, wanted) == "recall 0.6667, precision 0.6667, lets through 100.00% of others"


@pytest.mark.parametrize(
    ("head", "passes"),
    [
        (b'<html lang="ja">', True),
        (b"<html lang=en><title>A page in English about mills</title>", False),
        ("<html><title>川沿いの古い水車小屋</title>".encode(), True),
        ("<html><title>川沿いの古い水車小屋</title>".encode("shift_jis"), True),
        (b"<html><title></title>", False),
        (b"<html>", False),
    ],
)
def test_swallows_test_asks_the_declaration_and_the_title(head: bytes, passes: bool) -> None:
    assert swallow_test(head) == passes


def test_similarity_is_of_sets_of_5_grams() -> None:
    assert jaccard("abcdef", "abcdefg") == 2 / 3
    assert by_similarity(np.array([True, False, True]), np.array([0.97, 0.99, 1.0])).endswith("0.95 to 1.00: 0.667 of 3")


def test_an_increment_fares_as_one_run() -> None:
    random = np.random.default_rng(5)
    texts = ["".join(map(chr, random.integers(0x4E00, 0x9000, 400))) for _ in range(6)]
    made = signatures([*texts, *texts, texts[0] + "追記"], shingle=CONFIG.shingle, values=CONFIG.values)
    together = clusters_of(made)
    assert against_equals_one_go(made, together)
    together.survivor[-1] = len(made) - 1
    assert not against_equals_one_go(made, together)


def test_figures_of_a_kind_count_matches_and_labels() -> None:
    labelled = sum(kind == "card" for _, labels in CASES for kind, _ in labels)

    def half_of_the_labels(text: str) -> list[tuple[str, str]]:
        labels = dict(CASES)[text]
        return [label for label in labels if label[0] == "card"] + [("card", "wrong")] * len(labels)

    precision, _, recall_and_count = figures_of_kind(half_of_the_labels, "card").removeprefix("card ").partition(" / ")
    assert 0 < float(precision) < 0.5
    assert recall_and_count == f"1.000 of {labelled}"


def test_a_missing_peer_is_a_row_that_says_so() -> None:
    assert not is_installed("no_such_package")
    assert "benchmarks/requirements/peers.txt" in not_installed("1 encodings", "peer").figures


def test_a_folder_without_a_corpus_is_an_error_that_names_it(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "benchmarks.accuracy", "--shared", str(tmp_path)]
    root = Path(__file__).parents[2]
    run = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
    assert run.returncode == 2
    assert f"{tmp_path / 'corpus' / 'LABELS.parquet'} is missing" in run.stderr
