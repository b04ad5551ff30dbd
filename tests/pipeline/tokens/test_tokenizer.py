"""Tokenizers: decoding restores the text, no text encodes to a special token, and loading restores what was saved."""

import re
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import sentencepiece
from hypothesis import example, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from pipeline.tokens import tokenizer as module
from pipeline.tokens.byte_pairs import byte_pair_files
from pipeline.tokens.config import TokenizerConfig
from pipeline.tokens.opening import load_tokenizer, model_digest, open_tokenizer, tokenizer_of
from pipeline.tokens.tokenizer import PATTERN_FILE, RANKS_FILE, SENTENCEPIECE_FILE, Tokenizer, TokenizerError
from pipeline.tokens.training import train_tokenizer

SUBJECTS = ["猫", "犬", "先生", "東京の店", "古い本"]
VERBS = ["を見た。", "が好きです。", "は大きい。", "に行く。\n", "と話した。"]
TEXTS = [f"{subject}{verb}{subject * 2} A{index} b" for index, subject in enumerate(SUBJECTS) for verb in VERBS]
SPECIAL = "<|endoftext|></s><s><unk><0x0A>"
GPT2_CACHE = Path(__file__).parents[4] / "shared" / "models" / "tiktoken_cache"


@pytest.fixture(scope="module", params=["sentencepiece", "bpe"])
def trained(request: pytest.FixtureRequest) -> Tokenizer:
    return train_tokenizer(TEXTS, TokenizerConfig(kind=request.param, vocabulary=320))


@pytest.fixture(scope="module")
def given_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SentencePiece model with the library's usual settings: NFKC, a leading space, runs of spaces collapsed."""
    path = tmp_path_factory.mktemp("model") / "given.model"
    with path.open("wb") as writer:
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=iter(TEXTS),
            model_writer=writer,
            vocab_size=320,
            byte_fallback=True,
            hard_vocab_limit=False,
            minloglevel=2,
        )
    return path


def encode(tokenizer: Tokenizer, text: str) -> npt.NDArray[np.unsignedinteger[Any]]:
    return tokenizer.encode_batch([text])[0]


@settings(deadline=None)
@given(text=st.text())
@example("")
@example(" 猫  を\t見た。\r\n\n\u3000　")
@example("a\u2581b\u2581\u2581 \u2585")
@example("\0\ufffd\ufeff\u2028\U0010ffff")
@example("ﾊﾞｽ①㈱か\u3099")
@example(SPECIAL)
def test_every_text_comes_back(trained: Tokenizer, text: str) -> None:
    assert trained.decode(encode(trained, text)) == text


@settings(deadline=None)
@given(texts=st.lists(st.text(alphabet="猫を見た 1A\n\u2581<|>", max_size=12), max_size=8))
def test_a_batch_is_its_texts_one_behind_the_other(trained: Tokenizer, texts: list[str]) -> None:
    flat, offsets = trained.encode_batch(texts)
    assert flat.dtype == np.uint16
    assert offsets.dtype == np.int64
    assert offsets.tolist() == [0, *np.cumsum([len(encode(trained, text)) for text in texts], dtype=int)]
    assert flat.tolist() == [token for text in texts for token in encode(trained, text).tolist()]
    counts = trained.count_batch(texts)
    assert counts.dtype == np.int64
    assert counts.tolist() == np.diff(offsets).tolist()


def test_the_name_of_the_delimiter_in_a_text_is_text(trained: Tokenizer) -> None:
    assert trained.delimiter == "<|endoftext|>"
    ids = encode(trained, SPECIAL)
    assert trained.delimiter_id not in ids
    assert len(ids) > 5
    assert trained.decode([trained.delimiter_id, *ids, trained.delimiter_id]) == SPECIAL


def test_digits_stand_alone_so_that_numbers_are_spelled_alike(trained: Tokenizer) -> None:
    assert len(encode(trained, "2024")) == len(encode(trained, "2")) + 3


def test_what_is_saved_is_what_is_loaded(trained: Tokenizer, tmp_path: Path) -> None:
    trained.save(tmp_path / "tokenizer")
    loaded = load_tokenizer(tmp_path / "tokenizer")
    assert (loaded.digest, loaded.vocabulary_size, loaded.delimiter_id) == (
        trained.digest,
        trained.vocabulary_size,
        trained.delimiter_id,
    )
    assert encode(loaded, TEXTS[0]).tolist() == encode(trained, TEXTS[0]).tolist()
    assert {path.name for path in (tmp_path / "tokenizer").iterdir()} == set(trained.files)


def test_a_lone_surrogate_is_refused_by_name(trained: Tokenizer) -> None:
    with pytest.raises(TokenizerError, match="lone surrogate"):
        trained.encode_batch(["猫", "\ud800"])


@pytest.mark.parametrize("token", [-1, 320, 10**9])
def test_an_id_outside_the_vocabulary_is_refused(trained: Tokenizer, token: int) -> None:
    with pytest.raises(TokenizerError, match="outside the vocabulary"):
        trained.decode([token])


def test_a_text_longer_than_a_block_is_encoded_as_its_blocks(trained: Tokenizer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BLOCK_CHARACTERS", 100)
    blocks = ["犬" * 100, "猫を見た。\n" * 16, "猫を見た。\n" * 4 + "先生 \u2581" * 10]
    assert encode(trained, "".join(blocks)).tolist() == trained.encode_batch(blocks)[0].tolist()
    assert trained.count_batch(["a", "".join(blocks), "b"])[1] == sum(trained.count_batch(blocks))
    assert trained.decode(encode(trained, "".join(blocks))) == "".join(blocks)


@pytest.mark.parametrize("unit", [" ", "\n", "=", "猫"])
def test_a_million_characters_without_a_break_come_back(trained: Tokenizer, unit: str) -> None:
    text = unit * (1_000_000 // len(unit)) + "。"
    assert trained.decode(encode(trained, text)) == text


# Given models


def test_a_given_model_encodes_as_its_library_does(given_model: Path) -> None:
    tokenizer = open_tokenizer(TokenizerConfig(model=str(given_model)))
    library = sentencepiece.SentencePieceProcessor(model_file=str(given_model))
    texts = [*TEXTS, "", "  ＡＢＣ ①", "a\u2581b\n", SPECIAL]
    flat, offsets = tokenizer.encode_batch(texts)
    expected = library.encode(texts)
    assert flat.tolist() == [token for ids in expected for token in ids]
    assert np.diff(offsets).tolist() == [len(ids) for ids in expected]
    assert (tokenizer.vocabulary_size, tokenizer.delimiter_id) == (library.vocab_size(), library.eos_id())
    assert tokenizer.delimiter == "</s>"
    assert tokenizer.delimiter_id not in flat


def test_a_model_without_an_end_of_sentence_symbol_is_refused(tmp_path: Path) -> None:
    with (tmp_path / "a.model").open("wb") as writer:
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=iter(TEXTS), model_writer=writer, vocab_size=100, hard_vocab_limit=False, eos_id=-1, minloglevel=2
        )
    with pytest.raises(TokenizerError, match=r"a\.model.*no end-of-sentence symbol"):
        open_tokenizer(TokenizerConfig(model=str(tmp_path / "a.model")))


def test_the_tokenizer_of_an_earlier_corpus_can_be_given(trained: Tokenizer, tmp_path: Path) -> None:
    trained.save(tmp_path)
    kind = "sentencepiece" if SENTENCEPIECE_FILE in trained.files else "bpe"
    config = TokenizerConfig(kind=kind, model=str(tmp_path))
    assert open_tokenizer(config).digest == model_digest(config) == trained.digest
    other = {"sentencepiece": "bpe", "bpe": "sentencepiece"}[kind]
    with pytest.raises(TokenizerError, match=f"not of tokenizer.kind '{other}'"):
        open_tokenizer(TokenizerConfig(kind=other, model=str(tmp_path)))


def test_no_model_has_an_empty_digest_and_nothing_to_open() -> None:
    assert model_digest(TokenizerConfig()) == ""
    with pytest.raises(TokenizerError, match=r"tokenizer\.model is not set"):
        open_tokenizer(TokenizerConfig())


def test_the_digest_follows_the_content_of_a_model_and_not_its_place(given_model: Path, tmp_path: Path) -> None:
    (tmp_path / "copy.model").write_bytes(given_model.read_bytes())
    config = TokenizerConfig(model=str(tmp_path / "copy.model"))
    assert model_digest(config) == model_digest(TokenizerConfig(model=str(given_model)))
    (tmp_path / "copy.model").write_bytes(train_tokenizer(TEXTS, TokenizerConfig(vocabulary=320)).files[SENTENCEPIECE_FILE])
    assert model_digest(config) != model_digest(TokenizerConfig(model=str(given_model)))


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"model": "no/such.model"}, "No such file"),
        ({"model": __file__}, "not a SentencePiece model"),
        ({"model": str(Path(__file__).parent)}, f"neither {re.escape(SENTENCEPIECE_FILE)} nor"),
        ({"kind": "bpe", "model": __file__}, "kind bpe takes a folder"),
        ({"kind": "tiktoken", "model": "gpt9"}, "tiktoken does not know it; it knows gpt2"),
    ],
)
def test_a_model_that_cannot_be_had_is_named_with_its_key(config: dict[str, str], message: str) -> None:
    with pytest.raises(TokenizerError, match=message) as caught:
        open_tokenizer(TokenizerConfig(**config))
    assert f"tokenizer.model: {config['model']!r}" in str(caught.value)


def test_a_cut_model_is_refused(given_model: Path, tmp_path: Path) -> None:
    content = given_model.read_bytes()
    for size in (0, 10, len(content) // 2, len(content) - 5):
        (tmp_path / SENTENCEPIECE_FILE).write_bytes(content[:size])
        with pytest.raises(TokenizerError, match=f"{tmp_path}: not a SentencePiece model"):
            load_tokenizer(tmp_path)


@pytest.mark.parametrize(
    "files",
    [
        {RANKS_FILE: b"YQ== 0\n", PATTERN_FILE: b"{}"},
        {RANKS_FILE: b"YQ== 0\n", PATTERN_FILE: b'{"pattern": "'},
        {RANKS_FILE: b"YQ==\n", PATTERN_FILE: b'{"pattern": ".", "special_tokens": {"<|endoftext|>": 1}}'},
        {RANKS_FILE: b"YQ= 0\n", PATTERN_FILE: b'{"pattern": ".", "special_tokens": {"<|endoftext|>": 1}}'},
        {RANKS_FILE: b"YQ== 0\n", PATTERN_FILE: b'{"pattern": "(", "special_tokens": {"<|endoftext|>": 1}}'},
        {RANKS_FILE: b"YQ== 0\n", PATTERN_FILE: b'{"pattern": ".", "special_tokens": {}}'},
        {RANKS_FILE: b"YQ== 0\n"},
    ],
)
def test_damaged_byte_pairs_are_refused(files: dict[str, bytes]) -> None:
    with pytest.raises(TokenizerError):
        tokenizer_of(files)


def test_more_than_65536_ids_are_stored_as_uint32() -> None:
    single = {bytes([byte]): byte for byte in range(256)}
    pairs = {bytes([first, second]): 256 + 256 * first + second for first in range(256) for second in range(256)}
    for taken, dtype in ((65_535, np.uint16), (65_536, np.uint32)):
        ranks = dict(list({**single, **pairs}.items())[:taken])
        tokenizer = tokenizer_of(byte_pair_files(ranks, r"[\s\S]", {"<|endoftext|>": taken}))
        assert tokenizer.vocabulary_size == taken + 1
        assert encode(tokenizer, "a").dtype == dtype


# tiktoken's own models


@pytest.mark.skipif(not GPT2_CACHE.is_dir(), reason="tiktoken's files of gpt2 are not here")
def test_gpt2_has_the_published_ids_and_needs_no_cache_once_saved(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("TIKTOKEN_CACHE_DIR", str(GPT2_CACHE))
    tokenizer = open_tokenizer(TokenizerConfig(kind="tiktoken", model="gpt2"))
    assert (tokenizer.vocabulary_size, tokenizer.delimiter_id) == (50_257, 50_256)
    # Raschka, Build a Large Language Model (From Scratch), section 4.7.
    assert encode(tokenizer, "Every effort moves you").tolist() == [6109, 3626, 6100, 345]
    assert tokenizer.delimiter_id not in encode(tokenizer, SPECIAL)
    tokenizer.save(tmp_path)
    assert encode(load_tokenizer(tmp_path), "日本語 text").tolist() == encode(tokenizer, "日本語 text").tolist()
    # Longer than the backtracking limit of the engine that runs this model's expression.
    spaces = " " * 1_500_000 + "a"
    assert tokenizer.decode(encode(tokenizer, spaces)) == spaces


def test_without_cache_and_network_the_message_says_what_to_set(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("TIKTOKEN_CACHE_DIR", str(tmp_path))
    for name in ("HTTPS_PROXY", "https_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")  # the discard port, where nothing answers
    with pytest.raises(TokenizerError, match=r"tokenizer.model: 'p50k_edit'.*set TIKTOKEN_CACHE_DIR"):
        open_tokenizer(TokenizerConfig(kind="tiktoken", model="p50k_edit"))
    assert list(tmp_path.iterdir()) == []


def test_tiktoken_without_a_name_is_refused_in_the_configuration() -> None:
    with pytest.raises(ValidationError, match="give model, such as gpt2"):
        TokenizerConfig(kind="tiktoken")


def test_the_vocabulary_has_room_for_bytes_delimiter_unknown_and_space() -> None:
    with pytest.raises(ValidationError, match="259"):
        TokenizerConfig(vocabulary=258)
    assert train_tokenizer([], TokenizerConfig(vocabulary=259)).vocabulary_size == 259
