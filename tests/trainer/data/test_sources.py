"""Datasets that belong together, and others."""

from pathlib import Path

import pytest

from model.config import ModelConfig
from tests.trainer.conftest import WriteTokens, random_documents
from tests.trainer.tokenizers import byte_tokenizer
from trainer.config import ShardsConfig
from trainer.data.sources import Sources, TextSize
from trainer.errors import TrainerError

SHAPE = ModelConfig(vocabulary_size=64, context_length=8, width=8, layers=1, heads=1, key_value_heads=1, feed_forward_width=8)


def opened(*folders: Path, weights: tuple[float | None, ...] = ()) -> Sources:
    given = weights or (None,) * len(folders)
    return Sources.open([ShardsConfig(path=str(path), weight=weight) for path, weight in zip(folders, given, strict=True)])


def splits(count: int, seed: int) -> dict[str, list[list[list[int]]]]:
    return {"train": [random_documents(count, seed)], "val": [random_documents(3, seed + 1)]}


def test_shards_of_another_tokenizer_are_refused(write_tokens: WriteTokens) -> None:
    ours = write_tokens(splits(5, 0), name="ours")
    other = write_tokens(splits(5, 2), name="other", tokenizer_sha256="cd" * 32)
    with pytest.raises(TrainerError, match=r"other/dataset\.json: its tokenizer cdcdcdcdcdcd .* is not that of .*ours"):
        opened(ours, other)


def test_a_truncated_shard_is_named(write_tokens: WriteTokens) -> None:
    folder = write_tokens(splits(5, 0))
    shard = folder / "train-00000.arrow"
    shard.write_bytes(shard.read_bytes()[:-100])
    with pytest.raises(TrainerError, match=r"train-00000\.arrow: \d+ bytes, not \d+; copy it again"):
        opened(folder)


def test_a_tokenizer_beside_the_shards_must_be_theirs(write_tokens: WriteTokens) -> None:
    folder = write_tokens(splits(5, 0))
    with pytest.raises(TrainerError, match="tokenizer"):
        opened(folder).tokenizer()
    byte_tokenizer().save(folder / "tokenizer")
    with pytest.raises(TrainerError, match=r"but the shards were made with abababababab; copy the right one"):
        opened(folder).tokenizer()


def test_ids_that_the_model_has_no_row_for_are_refused(write_tokens: WriteTokens) -> None:
    sources = opened(write_tokens(splits(5, 0)))
    sources.check_model(SHAPE, "shape")
    with pytest.raises(TrainerError, match=r"64 ids, more than the 63 of the model \(shape\)"):
        sources.check_model(SHAPE.model_copy(update={"vocabulary_size": 63}), "shape")


def test_without_weights_all_windows_are_one_set_and_with_them_a_mixture(write_tokens: WriteTokens) -> None:
    folders = [write_tokens(splits(count, seed), name=f"source{seed}") for count, seed in ((30, 0), (10, 5))]
    sources = opened(*folders)
    windows = sources.windows("train", 8)
    order = sources.order(windows, seed=0)
    count = sum(map(len, windows))
    drawn = order.many(0, count)
    assert len(set(zip(drawn[0].tolist(), drawn[1].tolist(), strict=True))) == count
    mixed = opened(*folders, weights=(1.0, 3.0)).order(windows, seed=0)
    assert mixed.many(0, mixed.block)[0].tolist().count(1) == mixed.block * 3 // 4


def test_text_sizes_are_those_of_the_texts(write_tokens: WriteTokens) -> None:
    documents = random_documents(7)
    sources = opened(write_tokens({"train": [documents], "val": [random_documents(2)]}))
    size = TextSize.of(sources.datasets[0], "train")
    letters = sum(map(len, documents))
    assert (size.tokens, size.n_bytes, size.n_characters) == (letters + 7 - 1, 3 * letters, letters)
    order = sources.order(sources.windows("train", 8), 0)
    assert sources.bytes_per_token(order) == pytest.approx(3 * letters / (letters + 6))
    assert sources.mean_context() == pytest.approx((letters + 7) / 7)
