"""Shards meet only models of their tokenizer, whatever form the model's folder has."""

import json
from pathlib import Path

import pytest

from model.hugging_face.tokenizer import write_tokenizer
from model.presets import preset
from pipeline.tokens.config import TokenizerConfig
from pipeline.tokens.opening import load_tokenizer
from pipeline.tokens.tokenizer import Tokenizer
from pipeline.tokens.training import train_tokenizer
from tests.pipeline.tokens.public_tokenizers import public_folder
from tests.trainer.conftest import random_documents, write_token_dataset
from tests.trainer.tokenizers import byte_tokenizer
from trainer.config import ShardsConfig
from trainer.data.same_tokenizer import check_same_tokenizer
from trainer.data.sources import Sources
from trainer.errors import TrainerError


@pytest.fixture(scope="module")
def other() -> Tokenizer:
    """As many ids as the tokenizer of the shards, with other meanings."""
    texts = ["the other words of another corpus, other and another"] * 3
    found = train_tokenizer(texts, TokenizerConfig(kind="bpe", vocabulary=byte_tokenizer().vocabulary_size))
    assert found.vocabulary_size == byte_tokenizer().vocabulary_size
    return found


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> Sources:
    tokenizer = byte_tokenizer()
    folder = write_token_dataset(
        tmp_path_factory.mktemp("same") / "tokens",
        {"train": [random_documents(5)]},
        vocabulary=tokenizer.vocabulary_size,
        tokenizer_sha256=tokenizer.digest,
        delimiter_id=tokenizer.delimiter_id,
    )
    tokenizer.save(folder / "tokenizer")
    return Sources.open([ShardsConfig(path=str(folder))])


def test_a_checkpoint_is_compared_by_the_hash_of_its_tokenizer(sources: Sources, other: Tokenizer, tmp_path: Path) -> None:
    byte_tokenizer().save(tmp_path / "own/tokenizer")
    assert check_same_tokenizer(sources, tmp_path / "own") is None
    other.save(tmp_path / "other/tokenizer")
    with pytest.raises(TrainerError) as refused:
        check_same_tokenizer(sources, tmp_path / "other")
    text = str(refused.value)
    assert byte_tokenizer().digest[:12] in text
    assert other.digest[:12] in text
    assert f"--set tokenizer.kind=bpe --set tokenizer.model={tmp_path / 'other/tokenizer'}" in text


def foreign_folder(tokenizer: Tokenizer, folder: Path) -> Path:
    """The folder of another program: `tokenizer.json`, and none of our own files."""
    tokenizer.save(folder / "ours")
    write_tokenizer(folder / "ours", folder / "theirs", preset("modern-1m"))
    for name in tokenizer.files:
        (folder / "theirs" / name).unlink()
    return folder / "theirs"


def test_a_folder_of_another_program_is_compared_token_by_token(sources: Sources, other: Tokenizer, tmp_path: Path) -> None:
    same = foreign_folder(byte_tokenizer(), tmp_path / "same")
    assert check_same_tokenizer(sources, same) is None
    with pytest.raises(TrainerError, match=r"tokenizer\.json, where id \d+ is '.+' and not '.+'"):
        check_same_tokenizer(sources, foreign_folder(other, tmp_path / "other"))
    # The older form: a plain map, with the special tokens apart.
    content = json.loads((same / "tokenizer.json").read_text())
    (same / "tokenizer.json").unlink()
    vocabulary = content["model"]["vocab"]
    (same / "vocab.json").write_text(json.dumps(vocabulary))
    assert check_same_tokenizer(sources, same) is None
    first, second, *_ = vocabulary
    (same / "vocab.json").write_text(json.dumps({**vocabulary, first: vocabulary[second], second: vocabulary[first]}))
    with pytest.raises(TrainerError, match=r"vocab\.json, where id"):
        check_same_tokenizer(sources, same)


def test_a_sentencepiece_tokenizer_is_compared_too(tmp_path: Path) -> None:
    texts = [f"猫は{number}匹います。犬も{number}匹です。" for number in range(60)]
    first, second = (train_tokenizer(texts[begin:], TokenizerConfig(vocabulary=310)) for begin in (0, 1))
    folder = write_token_dataset(
        tmp_path / "tokens",
        {"train": [[[20, 21], [22]]]},
        vocabulary=first.vocabulary_size,
        tokenizer_sha256=first.digest,
        delimiter_id=first.delimiter_id,
    )
    first.save(folder / "tokenizer")
    sources = Sources.open([ShardsConfig(path=str(folder))])
    assert check_same_tokenizer(sources, foreign_folder(first, tmp_path / "same")) is None
    llama = tmp_path / "llama"
    llama.mkdir()
    (llama / "tokenizer.model").write_bytes(first.files["sentencepiece.model"])
    assert check_same_tokenizer(sources, llama) is None
    (llama / "tokenizer.model").write_bytes(second.files["sentencepiece.model"])
    with pytest.raises(TrainerError, match=r"tokenizer\.kind=sentencepiece --set tokenizer\.model=.*tokenizer\.model"):
        check_same_tokenizer(sources, llama)


def test_a_model_without_a_tokenizer_is_said(sources: Sources, tmp_path: Path) -> None:
    assert "holds no tokenizer" in (check_same_tokenizer(sources, tmp_path) or "")


def test_shards_of_a_public_tokenizer_meet_its_model_and_no_other(tmp_path: Path) -> None:
    public = public_folder(tmp_path / "public")
    tokenizer = load_tokenizer(public)
    folder = write_token_dataset(
        tmp_path / "tokens",
        {"train": [random_documents(5)]},
        vocabulary=tokenizer.vocabulary_size,
        tokenizer_sha256=tokenizer.digest,
        delimiter_id=tokenizer.delimiter_id,
    )
    tokenizer.save(folder / "tokenizer")
    sources = Sources.open([ShardsConfig(path=str(folder))])
    # LLaMA's folders have both forms, and an instruction model ends a turn with another token.
    (public / "tokenizer.model").write_bytes(b"the other form")
    (public / "tokenizer_config.json").write_text('{"eos_token": "<|im_end|>"}')
    assert check_same_tokenizer(sources, public) is None
    tokenizer.save(tmp_path / "checkpoint/tokenizer")
    assert check_same_tokenizer(sources, tmp_path / "checkpoint") is None
    again = json.loads((public / "tokenizer.json").read_text())
    (public / "tokenizer.json").write_text(json.dumps(again, indent=4))
    assert check_same_tokenizer(sources, public) is None
    other = public_folder(tmp_path / "other", "unigram")
    with pytest.raises(TrainerError, match=r"tokenizer\.kind=hugging_face --set tokenizer\.model=.*other/tokenizer\.json"):
        check_same_tokenizer(sources, other)
