"""`tokenizer.json`, loaded by transformers: it gives the ids and texts of the pipeline's own tokenizer."""

import io
import json
from pathlib import Path
from typing import Any

import pytest
import sentencepiece
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import AutoTokenizer, PreTrainedTokenizerBase

from model.hugging_face import tokenizer as hugging_face_tokenizer
from model.hugging_face import tokenizer_json
from model.hugging_face.tokenizer import read_back, write_tokenizer
from model.hugging_face.tokenizer_json import TokenizerExportError
from pipeline.tokens import tokenizer as pipeline_tokenizer
from pipeline.tokens.byte_pairs import byte_pair_files
from pipeline.tokens.config import TokenizerConfig
from pipeline.tokens.opening import load_tokenizer, tokenizer_of
from pipeline.tokens.tokenizer import DELIMITER, Tokenizer
from pipeline.tokens.training import PATTERN, train_tokenizer
from tests.model.test_gpt import TINY
from tests.pipeline.tokens.public_tokenizers import public_folder

# Few repeated characters, so that no two segmentations have the same score.
TEXTS = [
    "吾輩は猫である。名前はまだ無い。どこで生れたかとんと見当がつかぬ。",
    "何でも薄暗いじめじめした所でニャーニャー泣いていた事だけは記憶している。",
    "The quick brown fox jumps over the lazy dog; it doesn't stop at 1234.",
    "<a href='x'>東京</a> and (x|y) -> z",
]
# The pattern of tiktoken's cl100k_base (tiktoken_ext/openai_public.py): possessive, and with an end-of-text anchor.
CL100K_PATTERN = (
    r"'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}++|\p{N}{1,3}+| ?[^\s\p{L}\p{N}]++[\r\n]*+|\s++$|\s*[\r\n]|\s+(?!\S)|\s"
)
PARTS = [
    "<0x41>",
    "<0xE2><0x96><0x81>",
    "<unk>",
    "</s>",
    DELIMITER,
    "\u2581",
    "\u2581C",
    "  ",
    "\r\n",
    "😀",
    "猫",
    "である",
    "fox",
]
texts = st.lists(st.sampled_from(PARTS) | st.text("a猫<0x>|\u2581C \n\t\0é\ufffd9", max_size=4) | st.text(max_size=4), max_size=9)

Pair = tuple[Tokenizer, PreTrainedTokenizerBase]


def loaded(files: dict[str, bytes], folder: Path) -> Pair:
    """The pipeline's tokenizer of `files`, and the one that transformers loads from the written folder."""
    ours = tokenizer_of(files)
    ours.save(folder / "ours")
    write_tokenizer(folder / "ours", folder / "theirs", TINY)
    return ours, AutoTokenizer.from_pretrained(folder / "theirs")


def sentencepiece_files(texts: list[str] = TEXTS, **changes: Any) -> dict[str, bytes]:
    """A small SentencePiece model, trained like the pipeline's except for `changes`."""
    model = io.BytesIO()
    settings_of_the_pipeline: dict[str, Any] = {
        "model_type": "unigram",
        "vocab_size": 450,
        "hard_vocab_limit": False,
        "byte_fallback": True,
        "normalization_rule_name": "identity",
        "add_dummy_prefix": False,
        "remove_extra_whitespaces": False,
        "minloglevel": 2,
    }
    options = {**settings_of_the_pipeline, **changes}
    sentencepiece.SentencePieceTrainer.train(sentence_iterator=iter(texts), model_writer=model, **options)
    return {"sentencepiece.model": model.getvalue()}


@pytest.fixture(scope="module", params=["sentencepiece", "bpe", "space before the text", "cl100k"])
def pair(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Pair:
    if request.param == "space before the text":
        files = sentencepiece_files(add_dummy_prefix=True)
    else:
        kind = "sentencepiece" if request.param == "sentencepiece" else "bpe"
        files = dict(train_tokenizer(TEXTS, TokenizerConfig(kind=kind, vocabulary=450)).files)
    if request.param == "cl100k":
        files["pattern.json"] = files["pattern.json"].replace(json.dumps(PATTERN).encode(), json.dumps(CL100K_PATTERN).encode())
        assert json.loads(files["pattern.json"])["pattern"] == CL100K_PATTERN
    return loaded(files, tmp_path_factory.mktemp("pair"))


# The same examples every time: SentencePiece rounds to single precision, and random ones may include two equal segmentations.
@settings(derandomize=True, max_examples=60, deadline=None)
@given(parts=texts)
def test_every_text_has_the_pipelines_ids_and_comes_back_as_the_pipelines_text(pair: Pair, parts: list[str]) -> None:
    ours, theirs = pair
    text = "".join(parts)
    ids = ours.encode_batch([text])[0].tolist()
    assert theirs(text)["input_ids"] == ids
    assert theirs.decode(ids) == ours.decode(ids)


@pytest.mark.parametrize("text", [*TEXTS, "1234567 12 1", "line \n  end  \n\n", "  ", "tail ", "I'LL say's", "\u3000全角\u3000"])
def test_plain_texts_have_the_pipelines_ids(pair: Pair, text: str) -> None:
    ours, theirs = pair
    assert theirs(text)["input_ids"] == ours.encode_batch([text])[0].tolist()


def test_size_delimiter_and_speed_are_those_of_the_pipelines_tokenizer(pair: Pair) -> None:
    ours, theirs = pair
    assert len(theirs) == ours.vocabulary_size
    assert theirs.eos_token_id == theirs.bos_token_id == ours.delimiter_id
    assert theirs.convert_ids_to_tokens(ours.delimiter_id) == ours.delimiter
    assert theirs.decode([ours.delimiter_id], skip_special_tokens=True) == ""
    assert theirs.is_fast


def test_encoding_adds_no_token_and_decoding_cleans_nothing_up(pair: Pair) -> None:
    ours, theirs = pair
    assert theirs("a", add_special_tokens=True)["input_ids"] == ours.encode_batch(["a"])[0].tolist()
    ids = ours.encode_batch(["a , b . 'm"])[0]
    assert theirs.decode(ids) == "a , b . 'm"


@pytest.mark.parametrize("architecture", ["gpt2", "llama", "qwen3"])
def test_the_class_that_belongs_to_the_models_architecture_does_not_take_over(tmp_path: Path, architecture: str) -> None:
    ours, _ = loaded(sentencepiece_files(), tmp_path)
    (tmp_path / "theirs" / "config.json").write_text(json.dumps({"model_type": architecture}))
    theirs = AutoTokenizer.from_pretrained(tmp_path / "theirs")
    text = f"  fox{DELIMITER} 猫\n"
    assert theirs(text)["input_ids"] == ours.encode_batch([text])[0].tolist()


def test_a_name_that_a_piece_reaches_into_is_cut_behind_that_piece(tmp_path: Path) -> None:
    tags = [f"{word}</{word}>" for word in ("ab", "cd", "ef", "gh", "ij", "kl")]
    ours, theirs = loaded(sentencepiece_files(tags, control_symbols=["</m>"]), tmp_path)
    assert theirs.convert_tokens_to_ids("</") != theirs.unk_token_id
    assert theirs("ab</m></s>cd")["input_ids"] == ours.encode_batch(["ab</m></s>cd"])[0].tolist()


def test_a_token_that_no_merging_makes_is_found_where_it_stands_alone(tmp_path: Path) -> None:
    ranks = {bytes([byte]): byte for byte in range(256)} | {b"xyz": 256}
    ours, theirs = loaded(byte_pair_files(ranks, PATTERN, {DELIMITER: 257}), tmp_path)
    assert theirs("xyz wxyz")["input_ids"] == ours.encode_batch(["xyz wxyz"])[0].tolist() == [256, *b" wxyz"]


def test_special_ids_with_a_gap_before_them_stay(tmp_path: Path) -> None:
    ranks = {bytes([byte]): byte for byte in range(256)}
    ours, theirs = loaded(byte_pair_files(ranks, PATTERN, {DELIMITER: 300, "<|fim|>": 310}), tmp_path)
    assert theirs.eos_token_id == ours.delimiter_id == 300
    assert theirs.convert_tokens_to_ids("<|fim|>") == 310


def test_the_names_of_the_files_are_the_pipelines() -> None:
    for name in ("SENTENCEPIECE_FILE", "RANKS_FILE", "PATTERN_FILE", "JSON_FILE", "CONFIG_FILE"):
        assert getattr(hugging_face_tokenizer, name) == getattr(pipeline_tokenizer, name)
    assert tokenizer_json.DELIMITER == pipeline_tokenizer.DELIMITER


@pytest.mark.parametrize("kind", ["sentencepiece", "bpe"])
def test_the_exported_folder_gives_the_tokenizer_back(tmp_path: Path, kind: str) -> None:
    ours = train_tokenizer(TEXTS, TokenizerConfig(kind=kind, vocabulary=400))
    ours.save(tmp_path / "ours")
    write_tokenizer(tmp_path / "ours", tmp_path / "theirs", TINY)
    read_back(tmp_path / "theirs", tmp_path / "again")
    assert load_tokenizer(tmp_path / "again").digest == ours.digest
    assert sorted(file.name for file in (tmp_path / "again").iterdir()) == sorted(ours.files)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"model_type": "bpe"}, "not a unigram model"),
        ({"byte_fallback": False}, "no byte fallback"),
        ({"normalization_rule_name": "nmt_nfkc"}, "normalizes text by 'nmt_nfkc'"),
        ({"remove_extra_whitespaces": True}, "removes extra spaces"),
        ({"user_defined_symbols": ["<sep>"]}, "user-defined pieces"),
        ({"eos_id": -1}, "no end-of-sentence symbol"),
    ],
)
def test_a_model_that_cannot_be_expressed_is_refused_with_the_reason(
    tmp_path: Path, changes: dict[str, Any], reason: str
) -> None:
    (tmp_path / "sentencepiece.model").write_bytes(sentencepiece_files(**changes)["sentencepiece.model"])
    with pytest.raises(TokenizerExportError, match=reason) as caught:
        write_tokenizer(tmp_path, tmp_path / "theirs", TINY)
    assert str(tmp_path / "sentencepiece.model") in str(caught.value)
    assert not (tmp_path / "theirs").exists()


@pytest.mark.parametrize(
    ("files", "reason"),
    [
        ({}, "has neither sentencepiece.model nor ranks.tiktoken"),
        ({"sentencepiece.model": b"no model"}, "sentencepiece.model: cannot be read"),
        ({"ranks.tiktoken": b"YQ==\n", "pattern.json": b"{}"}, "ranks.tiktoken: cannot be read"),
        ({"ranks.tiktoken": b"YQ== 0\n", "pattern.json": b"{}"}, "pattern.json: has no pattern"),
        ({"ranks.tiktoken": b"YQ== 0\n", "pattern.json": b'{"pattern": "a", "special_tokens": {}}'}, "every byte needs a rank"),
        (byte_pair_files({bytes([byte]): byte for byte in range(256)}, "a{1,2}+b", {DELIMITER: 256}), "possessive count"),
    ],
)
def test_missing_and_damaged_files_are_named(tmp_path: Path, files: dict[str, bytes], reason: str) -> None:
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
    with pytest.raises(TokenizerExportError, match=reason):
        write_tokenizer(tmp_path, tmp_path / "theirs", TINY)


@pytest.mark.parametrize("kind", ["byte pairs", "unigram"])
def test_the_tokenizer_of_a_public_model_is_written_back_as_it_came(tmp_path: Path, kind: str) -> None:
    ours = load_tokenizer(public_folder(tmp_path / "public", kind))
    ours.save(tmp_path / "ours")
    assert write_tokenizer(tmp_path / "ours", tmp_path / "theirs", TINY) == ours.delimiter_id
    assert (tmp_path / "theirs/tokenizer.json").read_bytes() == (tmp_path / "public/tokenizer.json").read_bytes()
    theirs = AutoTokenizer.from_pretrained(tmp_path / "theirs")
    text = f"  fox{DELIMITER} 猫\n\tend"
    assert theirs(text, add_special_tokens=False)["input_ids"] == ours.encode_batch([text])[0].tolist()
    assert theirs.eos_token_id == ours.delimiter_id
    read_back(tmp_path / "theirs", tmp_path / "again")
    assert load_tokenizer(tmp_path / "again").digest == ours.digest


def test_a_folder_of_another_program_gives_no_tokenizer_back(tmp_path: Path) -> None:
    (tmp_path / "tokenizer.json").write_text("{}")
    with pytest.raises(TokenizerExportError, match="neither"):
        read_back(tmp_path, tmp_path / "again")


def test_a_target_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    tokenizer_of(sentencepiece_files()).save(tmp_path / "ours")
    (tmp_path / "theirs").write_text("a file")
    with pytest.raises(TokenizerExportError, match="theirs: cannot be written"):
        write_tokenizer(tmp_path / "ours", tmp_path / "theirs", TINY)
