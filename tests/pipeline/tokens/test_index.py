"""The index still has the documents of replaced shards, without tokens, even if a run was killed at any moment."""

import shutil
import signal
from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline.corpus.ledger import Ledger, UnitRow
from pipeline.tokenize.publish import publish
from pipeline.tokens.dataset import TokenDataset
from pipeline.tokens.index import DatasetIndex, index_of, open_index
from pipeline.tokens.store import ShardInfo, TokenMeta, TokenStoreError
from tests.pipeline.tokens.token_shards import write_documents
from tests.trainer.checkpoint_files import in_child
from tests.trainer.checkpoints.test_survival import killed_at
from tests.trainer.tokenizers import byte_tokenizer

META = TokenMeta.of(byte_tokenizer())
# Lengths of the documents of three shards, and of the second without one document. Ids count from 0, 10 and 20.
BEFORE = {"train-0": [3, 1], "train-1": [5, 2, 4], "val-0": [2]}
AFTER = {**BEFORE, "train-1": [5, 4]}


def plan(root: Path, shards: dict[str, list[int]]) -> None:
    """Shards and ledger as the units leave them: all done, but `dataset.json` not yet written."""
    tokens = root / "tokens"
    tokens.mkdir(parents=True, exist_ok=True)
    byte_tokenizer().save(tokens / "tokenizer")
    pq.write_table(pa.table({"name": list(shards), "split": [name.split("-")[0] for name in shards]}), root / "order.parquet")
    with Ledger(root) as ledger:
        for number, (name, lengths) in enumerate(shards.items()):
            info = write_shard(tokens, name, lengths, 10 * number)
            ledger.record(UnitRow("shards", name, "", 1, {f"tokens/{info.file}": info.sha256}, "", 0.0, "done", None, {}))


def write_shard(tokens: Path, name: str, lengths: Sequence[int], first: int) -> ShardInfo:
    """Write a shard of documents with these lengths; its name depends on its content, as in the pipeline."""
    return write_documents(tokens / f"{name}-{'x'.join(map(str, lengths))}.arrow", [[7] * own for own in lengths], META, first)


def published(root: Path) -> str:
    with Ledger(root) as ledger:
        return publish(root, ledger)


def told(index: DatasetIndex) -> dict[str, list[tuple[str, int, int]]]:
    """By split, the documents in order, each with its place in the stream."""
    found = {}
    for name, split in index.splits.items():
        shards = zip(split.shards, split.first_tokens.tolist(), strict=False)
        found[name] = [
            (str(doc_id), first + start, first + stop)
            for shard, first in shards
            for doc_id, start, stop in zip(shard.doc_ids.to_pylist(), shard.offsets[:-1], shard.offsets[1:], strict=True)
        ]
        assert split.tokens == (found[name][-1][2] if found[name] else 0)
    return found


def test_after_shards_were_replaced_each_dataset_tells_its_documents_and_no_token_stays(tmp_path: Path) -> None:
    answers = {}
    for shards in (BEFORE, AFTER, {**AFTER, "train-0": [3], "val-0": []}):
        present = {name: lengths for name, lengths in shards.items() if lengths}
        plan(tmp_path, present)
        fingerprint = published(tmp_path)
        answers[fingerprint] = told(index_of(TokenDataset.open(tmp_path / "tokens")))
        for earlier, answer in answers.items():
            assert told(open_index(tmp_path / "tokens", earlier)) == answer
    assert len(answers) == 3
    kept = sorted((tmp_path / "tokens/earlier").glob("*.arrow"))
    assert [path.name for path in kept] == ["train-0-3x1.arrow", "train-1-5x2x4.arrow", "val-0-2.arrow"]
    for path in kept:
        assert pa.ipc.open_file(path).schema.names == ["doc_id", "n_tokens"]
    names = sorted(path.name for path in (tmp_path / "tokens").glob("*.arrow"))
    assert names == ["train-0-3.arrow", "train-1-5x4.arrow"]


def test_a_dataset_that_comes_back_has_its_fingerprint_and_the_one_between_is_told_too(tmp_path: Path) -> None:
    plan(tmp_path, BEFORE)
    first = published(tmp_path)
    plan(tmp_path, AFTER)
    between = published(tmp_path)
    answer = told(open_index(tmp_path / "tokens", between))
    plan(tmp_path, BEFORE)
    assert published(tmp_path) == first != between
    assert told(open_index(tmp_path / "tokens", first)) == told(index_of(TokenDataset.open(tmp_path / "tokens")))
    assert told(open_index(tmp_path / "tokens", between)) == answer


def test_publishing_twice_changes_nothing(tmp_path: Path) -> None:
    plan(tmp_path, BEFORE)
    fingerprint = published(tmp_path)
    written = (tmp_path / "tokens/dataset.json").stat().st_mtime_ns
    assert published(tmp_path) == fingerprint
    assert (tmp_path / "tokens/dataset.json").stat().st_mtime_ns == written
    assert not (tmp_path / "tokens/earlier").exists()


def test_a_kill_at_any_moment_leaves_one_dataset_whole_and_the_other_told(tmp_path: Path) -> None:
    plan(tmp_path / "template", BEFORE)
    before = published(tmp_path / "template")
    answer = told(open_index(tmp_path / "template/tokens", before))
    plan(tmp_path / "template", AFTER)
    seen = set()
    for change in range(100):
        root = Path(shutil.copytree(tmp_path / "template", tmp_path / str(change)))

        def work(root: Path = root, change: int = change) -> None:
            killed_at(change)
            published(root)

        status = in_child(work)
        assert status in (0, signal.SIGKILL)
        seen.add(TokenDataset.open(root / "tokens").fingerprint)
        assert told(open_index(root / "tokens", before)) == answer
        after = published(root)
        assert TokenDataset.open(root / "tokens").fingerprint == after != before
        assert told(open_index(root / "tokens", before)) == answer
        assert not (root / "tokens/train-1-5x2x4.arrow").exists()
        shutil.rmtree(root)
        if status == 0:
            break
    assert status == 0
    assert seen == {before, after}


def test_what_was_kept_and_is_damaged_or_was_never_kept_is_said(tmp_path: Path) -> None:
    plan(tmp_path, BEFORE)
    fingerprint = published(tmp_path)
    plan(tmp_path, AFTER)
    published(tmp_path)
    tokens = tmp_path / "tokens"
    with pytest.raises(TokenStoreError, match="has other tokens now"):
        open_index(tokens, "0" * 64)
    kept = tokens / "earlier/train-1-5x2x4.arrow"
    content = kept.read_bytes()
    kept.write_bytes(content[:-20])
    with pytest.raises(TokenStoreError, match="cannot be read as the index of a shard"):
        open_index(tokens, fingerprint)
    kept.write_bytes(content.replace(b"shard_sha256", b"shard_sha257"))
    with pytest.raises(TokenStoreError, match="is not the index of the shard"):
        open_index(tokens, fingerprint)
    kept.write_bytes(content)
    moved = tokens / "train-0-3x1.arrow"
    moved.rename(tmp_path / "away")
    with pytest.raises(TokenStoreError, match=r"train-0-3x1\.arrow"):
        open_index(tokens, fingerprint)
