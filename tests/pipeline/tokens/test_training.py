"""Training: the same texts give the same bytes, nothing is printed, and a small sample gives a small vocabulary."""

import random
import subprocess
import sys
from collections.abc import Iterator
from typing import Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.tokens.config import TokenizerConfig
from pipeline.tokens.tokenizer import TokenizerError
from pipeline.tokens.training import train_tokenizer

Kind = Literal["sentencepiece", "bpe"]
KINDS: tuple[Kind, ...] = ("sentencepiece", "bpe")
TEN_SENTENCES = [f"第{index}の文は、{'とても' * (index % 3)}短いです。" for index in range(10)]

# A program that trains on a given number of cores and prints the digest.
TRAIN = """
import os, random, sys
kind, cores = sys.argv[1], int(sys.argv[2])
if hasattr(os, "sched_setaffinity"):
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:cores])
from pipeline.tokens.config import TokenizerConfig
from pipeline.tokens.training import train_tokenizer
draw = random.Random(7)
words = ["".join(draw.choices("あいうえおかきくけこ東西南北", k=draw.randint(1, 5))) for _ in range(300)]
texts = ["".join(draw.choices(words, k=30)) + "。\\n" + " ".join(draw.choices(words, k=9)) for _ in range(200)]
tokenizer = train_tokenizer(texts, TokenizerConfig(kind=kind, vocabulary=600))
print(tokenizer.digest, tokenizer.vocabulary_size)
"""


@pytest.mark.parametrize("kind", KINDS)
def test_processes_on_one_core_and_on_all_make_the_same_bytes(kind: Kind) -> None:
    runs = [
        subprocess.run([sys.executable, "-c", TRAIN, kind, str(cores)], capture_output=True, text=True, check=True)
        for cores in (1, 64)
    ]
    assert len({run.stdout for run in runs}) == 1
    assert runs[0].stdout.split()[1] == "600"
    assert [run.stderr for run in runs] == ["", ""]


@pytest.mark.parametrize("kind", KINDS)
def test_the_order_of_the_texts_is_part_of_the_sample(kind: Kind) -> None:
    config = TokenizerConfig(kind=kind, vocabulary=320, sample_characters=40)
    assert train_tokenizer(TEN_SENTENCES, config).digest != train_tokenizer(TEN_SENTENCES[::-1], config).digest


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "texts", [[], [""], ["\n\n"], ["\u2585\u2581"], [" "], ["\t"], ["あ"], ["\0"], ["\ufffd"], TEN_SENTENCES]
)
def test_a_sample_too_small_for_the_vocabulary_makes_a_smaller_one(kind: Kind, texts: list[str]) -> None:
    tokenizer = train_tokenizer(texts, TokenizerConfig(kind=kind))
    assert 257 <= tokenizer.vocabulary_size < 400
    text = " 別の\n文\t▁ "
    assert tokenizer.decode(tokenizer.encode_batch([text])[0]) == text


@settings(max_examples=40, deadline=None)
@given(texts=st.lists(st.text(max_size=40), max_size=5))
def test_any_text_can_be_trained_on(texts: list[str]) -> None:
    for kind in KINDS:
        tokenizer = train_tokenizer(texts, TokenizerConfig(kind=kind, vocabulary=1000))
        for text in texts:
            assert tokenizer.decode(tokenizer.encode_batch([text])[0]) == text


@pytest.mark.parametrize("kind", KINDS)
def test_texts_behind_the_sample_are_not_read(kind: Kind) -> None:
    def texts() -> Iterator[str]:
        yield "あいうえお" * 10
        yield "かきくけこ" * 10
        raise AssertionError("read on")

    cut = train_tokenizer(texts(), TokenizerConfig(kind=kind, sample_characters=55))
    assert cut.digest == train_tokenizer(["あいうえお" * 10, "かきくけこ"], TokenizerConfig(kind=kind)).digest


def test_a_vocabulary_too_small_for_the_characters_is_named() -> None:
    text = "".join(chr(0x4E00 + index) for index in range(500))
    with pytest.raises(TokenizerError, match=r"tokenizer\.vocabulary: 300 ids do not suffice.*raise it"):
        train_tokenizer([text], TokenizerConfig(vocabulary=300))


@pytest.mark.parametrize("kind", KINDS)
def test_a_megabyte_without_a_line_end_can_be_trained_on(kind: Kind) -> None:
    tokenizer = train_tokenizer(["春夏秋冬" * 90_000 + " " * 10_000], TokenizerConfig(kind=kind, vocabulary=300))
    assert tokenizer.count_batch(["春夏秋冬" * 4])[0] <= 4


@pytest.mark.parametrize("kind", KINDS)
def test_a_lone_surrogate_in_the_sample_is_refused(kind: Kind) -> None:
    with pytest.raises(TokenizerError, match="lone surrogate"):
        train_tokenizer(["\udc80"], TokenizerConfig(kind=kind))


def test_a_kind_that_is_not_trained_is_refused() -> None:
    with pytest.raises(TokenizerError, match="'tiktoken' cannot be trained"):
        train_tokenizer(TEN_SENTENCES, TokenizerConfig(kind="tiktoken", model="gpt2"))


@pytest.mark.parametrize("kind", KINDS)
def test_a_frequent_word_becomes_a_piece_and_a_line_end_is_one_token(kind: Kind) -> None:
    draw = random.Random(5)
    others = ["".join(draw.choices("春夏秋冬山川草木", k=draw.randint(1, 4))) for _ in range(80)]
    texts = ["".join(draw.choices(others, k=5)) + "言語処理" + "".join(draw.choices(others, k=5)) + "\n" for _ in range(200)]
    tokenizer = train_tokenizer(texts, TokenizerConfig(kind=kind, vocabulary=330))
    assert tokenizer.count_batch(["言語処理", "言語処理" * 3, "\n"]).tolist() == [1, 3, 1]


def test_training_leaves_the_process_as_quiet_as_it_was(capfd: pytest.CaptureFixture[str]) -> None:
    for kind in KINDS:
        train_tokenizer(TEN_SENTENCES, TokenizerConfig(kind=kind, vocabulary=300))
    assert capfd.readouterr() == ("", "")
