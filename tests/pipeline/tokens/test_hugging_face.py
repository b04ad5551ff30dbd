"""Hugging Face's tokenizers: the library's ids, every text back, and a delimiter that no text contains."""

import json
import sys
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pydantic import ValidationError
from tokenizers import Tokenizer as LibraryTokenizer
from tokenizers import normalizers

from pipeline.operations.run import run
from pipeline.tokens import hugging_face as module
from pipeline.tokens.config import TokenizerConfig
from pipeline.tokens.dataset import TokenDataset
from pipeline.tokens.opening import load_tokenizer, model_digest, open_tokenizer
from pipeline.tokens.tokenizer import Tokenizer, TokenizerError
from tests.conftest import sample_manifest
from tests.pipeline.corpora import InThisProcess
from tests.pipeline.operations.runs import Recorder
from tests.pipeline.operations.test_texts_as_they_came import MARKDOWN, OTHER, PROSE
from tests.pipeline.tokens.public_tokenizers import PUBLIC, TEXTS, byte_pairs, public_folder
from trainer.data.loader import Loader
from trainer.data.order import Dataset, Order
from trainer.data.windows import Windows

SPECIAL = "a<|endoftext|></s><s><unk><|begin|>猫<|im_end|>"
PAGES = [
    "吾輩は猫である。名前はまだ無い。\n\n　どこで生れたかとんと見当がつかぬ。",
    "def f(x):\n\tif x:\n        return {'a': [x]}  \n\n\n# 終わり\r\n",
    "🐈👩‍👩‍👧🇯🇵 𠮷野家 한국어 tabs\t\tand   spaces ",
    "",
    *TEXTS[:3],
]


def opened(folder: Path) -> Tokenizer:
    return open_tokenizer(TokenizerConfig(kind="hugging_face", model=str(folder)))


@pytest.fixture(scope="module", params=list(PUBLIC))
def pair(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Tokenizer, LibraryTokenizer]:
    """The tokenizer as it is opened for a corpus, and the library's own, without its truncation."""
    folder = public_folder(tmp_path_factory.mktemp("public"), request.param)
    library = LibraryTokenizer.from_file(str(folder / "tokenizer.json"))
    library.no_truncation()
    return opened(folder), library


def test_ids_are_the_librarys_and_texts_come_back(pair: tuple[Tokenizer, LibraryTokenizer]) -> None:
    ours, library = pair
    flat, offsets = ours.encode_batch(PAGES)
    expected = [library.encode(text, add_special_tokens=False).ids for text in PAGES]
    assert flat.dtype == np.uint16
    assert [flat[start:end].tolist() for start, end in pairwise(offsets)] == expected
    assert ours.count_batch(PAGES).tolist() == list(map(len, expected))
    assert [ours.decode(ids) for ids in expected] == PAGES
    assert ours.vocabulary_size == library.get_vocab_size()
    assert ours.delimiter_id == library.token_to_id(ours.delimiter)


@given(text=st.text())
@example(" 猫  を\t見た。\r\n\n\u3000　")
@example("\0\ufffd\ufeff\u2028\U0010ffff")
@example("ﾊﾞｽ①㈱か\u3099")
@example(SPECIAL)
def test_every_text_comes_back_without_special_tokens(pair: tuple[Tokenizer, LibraryTokenizer], text: str) -> None:
    ours, library = pair
    ids = ours.encode_batch([text])[0].tolist()
    special = {number for number, token in library.get_added_tokens_decoder().items() if token.special}
    assert special.isdisjoint(ids)
    assert ours.decode([ours.delimiter_id, *ids, ours.delimiter_id]) == text


def test_names_of_special_tokens_are_encoded_as_the_library_encodes_them_as_text(tmp_path: Path) -> None:
    folder = public_folder(tmp_path)
    library = LibraryTokenizer.from_file(str(folder / "tokenizer.json"))
    library.no_truncation()
    library.encode_special_tokens = True
    assert opened(folder).encode_batch([SPECIAL])[0].tolist() == library.encode(SPECIAL, add_special_tokens=False).ids


def test_an_added_token_that_is_not_special_is_one_id(tmp_path: Path) -> None:
    tokenizer = opened(public_folder(tmp_path))
    ids = tokenizer.encode_batch(["<think>"])[0].tolist()
    assert len(ids) == 1
    assert tokenizer.decode(ids) == "<think>"


@pytest.mark.parametrize("text", ["猫" * 600_000, " " * 600_000 + "a"])
def test_a_long_text_comes_back(tmp_path: Path, text: str) -> None:
    tokenizer = opened(public_folder(tmp_path))
    assert tokenizer.decode(tokenizer.encode_batch([text])[0]) == text


def test_threads_change_no_id(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tokenizer = opened(public_folder(tmp_path))
    found = []
    for threads in ("false", "true"):
        monkeypatch.setenv("TOKENIZERS_PARALLELISM", threads)
        found.append(tokenizer.encode_batch(TEXTS)[0].tolist())
    assert found[0] == found[1]


def test_what_is_saved_is_what_is_loaded_and_the_file_is_the_one_that_came(
    pair: tuple[Tokenizer, LibraryTokenizer], tmp_path: Path
) -> None:
    ours, _ = pair
    ours.save(tmp_path)
    loaded = load_tokenizer(tmp_path)
    assert (loaded.digest, loaded.vocabulary_size, loaded.delimiter) == (ours.digest, ours.vocabulary_size, ours.delimiter)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == ours.files
    assert opened(tmp_path).digest == ours.digest


def test_the_digest_follows_the_tokenizer_and_not_the_rest_of_its_folder(tmp_path: Path) -> None:
    first, second = (public_folder(tmp_path / name) for name in ("first", "second"))
    (second / "tokenizer_config.json").write_text('{"eos_token": "<|endoftext|>", "padding_side": "left"}')
    config = TokenizerConfig(kind="hugging_face", model=str(first / "tokenizer.json"))
    assert model_digest(config) == opened(second).digest
    (second / "tokenizer_config.json").write_text('{"eos_token": "<|im_end|>"}')
    assert model_digest(config) != opened(second).digest


@pytest.mark.parametrize(
    ("beside", "delimiter"),
    [
        ({"tokenizer_config.json": {"eos_token": "<|im_end|>"}}, "<|im_end|>"),
        ({"special_tokens_map.json": {"eos_token": {"content": "<|im_end|>"}}}, "<|im_end|>"),
        (
            {"tokenizer_config.json": {"eos_token": None}, "generation_config.json": {"eos_token_id": ["<|im_end|>", 3]}},
            "<|im_end|>",
        ),
        ({"config.json": {"eos_token_id": "<|im_end|>"}}, "<|im_end|>"),
        ({}, "<|endoftext|>"),
    ],
)
def test_the_delimiter_is_the_end_of_text_that_the_folder_names(
    tmp_path: Path, beside: dict[str, dict[str, Any]], delimiter: str
) -> None:
    folder = public_folder(tmp_path)
    (folder / "tokenizer_config.json").unlink()
    number = PUBLIC["byte pairs"][0]().token_to_id("<|im_end|>")
    for name, content in beside.items():
        text = json.dumps(content)
        (folder / name).write_text(text.replace('"<|im_end|>"', str(number)) if "eos_token_id" in text else text)
    assert opened(folder).delimiter == delimiter


def test_without_a_known_end_of_text_the_message_says_how_to_name_it(tmp_path: Path) -> None:
    folder = public_folder(tmp_path)
    (folder / "tokenizer_config.json").unlink()
    content = (folder / "tokenizer.json").read_text().replace("<|endoftext|>", "<|stop|>")
    (folder / "tokenizer.json").write_text(content)
    with pytest.raises(TokenizerError, match=r'tokenizer_config\.json beside.*"eos_token".*<\|stop\|>'):
        opened(folder)
    (folder / "tokenizer_config.json").write_text('{"eos_token": "</s>"}')
    with pytest.raises(TokenizerError, match=r"'</s>' is not an added token.*<\|begin\|>"):
        opened(folder)


@pytest.mark.parametrize(
    ("normalizer", "example"),
    [(normalizers.Lowercase(), "ａｂｃ"), (normalizers.NFKC(), "ABC1"), (normalizers.Strip(), 'spaces"')],
)
def test_a_tokenizer_that_changes_text_is_refused_with_an_example(
    tmp_path: Path, normalizer: normalizers.Normalizer, example: str
) -> None:
    folder = public_folder(tmp_path)
    byte_pairs(normalizer).save(str(folder / "tokenizer.json"))
    with pytest.raises(TokenizerError, match="loses text") as refused:
        opened(folder)
    assert example in str(refused.value)


def test_nfc_is_accepted_because_public_models_have_it(tmp_path: Path) -> None:
    folder = public_folder(tmp_path)
    byte_pairs(normalizers.NFC()).save(str(folder / "tokenizer.json"))
    tokenizer = opened(folder)
    assert tokenizer.decode(tokenizer.encode_batch(["か\u3099"])[0]) == "が"


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"added_tokens": [], "model": {"type": "None", "vocab": {}}}'])
def test_a_damaged_file_is_named(tmp_path: Path, content: str) -> None:
    folder = public_folder(tmp_path)
    (folder / "tokenizer.json").write_text(content)
    with pytest.raises(TokenizerError, match=r"tokenizer\.model: .*tokenizer\.json is not a tokenizer"):
        opened(folder)


def test_a_folder_without_the_file_and_a_manifest_without_a_model_are_refused(tmp_path: Path) -> None:
    with pytest.raises(TokenizerError, match=r"tokenizer\.json"):
        opened(tmp_path)
    with pytest.raises(ValidationError, match="give model, the folder of a public model"):
        TokenizerConfig(kind="hugging_face")


def test_a_lone_surrogate_and_a_wrong_id_are_refused(pair: tuple[Tokenizer, LibraryTokenizer]) -> None:
    with pytest.raises(TokenizerError, match="lone surrogate"):
        pair[0].encode_batch(["猫", "\ud800"])
    with pytest.raises(TokenizerError, match="outside the vocabulary"):
        pair[0].decode([pair[0].vocabulary_size])


def test_without_the_library_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    module._built.cache_clear()
    monkeypatch.setitem(sys.modules, "tokenizers", None)
    with pytest.raises(TokenizerError, match=r"install 'kotokura\[hugging_face\]'"):
        opened(public_folder(tmp_path))


def test_a_corpus_has_the_librarys_ids_and_the_loader_delivers_them(tmp_path: Path) -> None:
    folder = public_folder(tmp_path / "model")
    pages = [MARKDOWN, PROSE.replace("。", "<|endoftext|>。", 1), OTHER.replace("。", "🐈\t。", 1)]
    rows = [{"url": f"https://h{number}.example/", "text": text} for number, text in enumerate(pages)]
    (tmp_path / "texts.jsonl").write_text("\n".join(json.dumps(row) for row in rows))
    changes = ("tokenizer.kind=hugging_face", f"tokenizer.model={folder}", "tokenize.validation_share=0")
    manifest = sample_manifest(tmp_path / "out", *changes, inputs=[str(tmp_path / "texts.jsonl")])
    assert run(manifest, Recorder(), InThisProcess()).failed == []
    split = TokenDataset.open(tmp_path / "out" / "tokens").split("train")
    (shard,) = split.shards
    library = LibraryTokenizer.from_file(str(folder / "tokenizer.json"))
    library.no_truncation()
    library.encode_special_tokens = True
    expected = [[library.token_to_id("<|endoftext|>"), *library.encode(text, add_special_tokens=False).ids] for text in pages]
    found = [shard.tokens[start:end].tolist() for start, end in pairwise(shard.offsets.tolist())]
    assert sorted(found) == sorted(expected)
    windows = Windows(split, 16)
    order = Order([Dataset("pages", len(windows), 1.0)], 7, 64)
    loader = Loader(order, [windows], global_batch=1, micro_batch=1, rank=0, world_size=1)
    batches = [batch for step in loader.steps(0, 2) for batch in step]
    stream = [token for ids in found for token in ids]
    for batch in batches:
        row = batch.inputs_BT[0].tolist()
        assert any(stream[start : start + 16] == row for start in range(0, len(stream), 16))
