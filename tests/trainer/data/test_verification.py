"""Damaged shards are found before they are used, and whole ones are read once."""

import json
import os
from pathlib import Path

import pytest

from pipeline.tokens.dataset import TokenDataset
from pipeline.tokens.store import TokenStoreError, fingerprint_of
from tests.trainer.conftest import WriteTokens, random_documents
from trainer.config import ShardsConfig
from trainer.data.sources import Sources
from trainer.data.verification import verify_dataset
from trainer.errors import TrainerError


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def folder(write_tokens: WriteTokens) -> Path:
    return write_tokens({"train": [random_documents(20)], "val": [random_documents(3, seed=1)]})


def damage(path: Path) -> None:
    content = bytearray(path.read_bytes())
    middle = len(content) // 2
    content[middle : middle + 8] = bytes(byte ^ 255 for byte in content[middle : middle + 8])
    path.write_bytes(content)


def test_a_damaged_shard_is_named_with_both_hashes_and_the_remedy(folder: Path) -> None:
    damage(folder / "train-00000.arrow")
    dataset = TokenDataset.open(folder)
    expected = dataset.content["shards"][0]["sha256"]
    with pytest.raises(TrainerError, match=rf"train-00000\.arrow: .* SHA-256 is [0-9a-f]{{64}}, .* {expected}; .*pipeline run"):
        verify_dataset(dataset)


def test_a_shard_is_read_again_only_after_it_has_changed_or_on_demand(folder: Path, cache: Path) -> None:
    dataset = TokenDataset.open(folder)
    verify_dataset(dataset)
    (record,) = cache.rglob("*.json")
    # A wrong memory shows whether a shard is read: only then is it corrected.
    known = json.loads(record.read_text())
    damaged = folder / "val-00000.arrow"
    damage(damaged)
    found = damaged.stat()
    known["val-00000.arrow"][1:] = [found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_ino]
    record.write_text(json.dumps(known))
    verify_dataset(dataset)
    with pytest.raises(TrainerError, match=r"val-00000\.arrow"):
        verify_dataset(dataset, force=True)
    os.utime(damaged)
    with pytest.raises(TrainerError, match=r"val-00000\.arrow"):
        verify_dataset(dataset)


def test_a_cache_that_cannot_be_written_or_read_only_costs_time(folder: Path, cache: Path) -> None:
    cache.write_text("a file, not a folder")
    verify_dataset(TokenDataset.open(folder))
    cache.unlink()
    verify_dataset(TokenDataset.open(folder))
    (record,) = cache.rglob("*.json")
    record.write_text("[")
    verify_dataset(TokenDataset.open(folder))


@pytest.mark.parametrize("name", ["../train-00000.arrow", "/etc/hostname", "..", "a/b.arrow"])
def test_a_dataset_names_no_file_outside_its_folder(folder: Path, name: str) -> None:
    path = folder / "dataset.json"
    content = json.loads(path.read_text())
    content["shards"][0]["file"] = name
    path.write_text(json.dumps({**content, "fingerprint": fingerprint_of(content)}))
    with pytest.raises(TokenStoreError, match=r"dataset\.json: .*run the pipeline again"):
        TokenDataset.open(folder)


def test_an_id_outside_the_vocabulary_names_the_shard_when_it_is_read(write_tokens: WriteTokens) -> None:
    folder = write_tokens({"train": [random_documents(20)]}, vocabulary=64)
    path = folder / "train-00000.arrow"
    shard = TokenDataset.open(folder).split("train").shards[0]
    content = bytearray(path.read_bytes())
    content[shard.first_byte + 10 : shard.first_byte + 12] = (64).to_bytes(2, "little")
    path.write_bytes(content)
    (windows,) = Sources.open([ShardsConfig(path=str(folder))]).windows("train", 4)
    windows.read(9)
    with pytest.raises(TrainerError, match=r"train-00000\.arrow: token 64 is outside the vocabulary of 64 ids"):
        windows.read(1)
