"""Publishes the token dataset: `dataset.json`, written last, makes the finished shards visible.

Shards of the dataset before stay until `dataset.json` no longer names them, so that at any moment, even after a kill, one
dataset is whole.
"""

import json
from pathlib import Path

from pipeline.corpus.ledger import Ledger
from pipeline.tokenize.order import planned_shards
from pipeline.tokens.dataset import read_content
from pipeline.tokens.index import keep_replaced
from pipeline.tokens.opening import load_tokenizer
from pipeline.tokens.store import DATASET_FILE, ShardInfo, TokenMeta, TokenShard, TokenStoreError, write_dataset

SPLITS = ("train", "val")


def publish(root: Path, ledger: Ledger) -> str:
    """Write `dataset.json` for the finished shards, and return the fingerprint.

    Files of shards that it no longer names are removed; the index of their documents is kept (`tokens.index`). Raises
    TokenStoreError if a shard is damaged or a file cannot be written, TokenizerError if the tokenizer cannot be loaded.
    """
    folder = root / "tokens"
    units = ledger.units()
    # One file per shard; none if all its documents were removed.
    made = [(row["split"], *item) for row in planned_shards(root) for item in units[("shards", row["name"])].output.items()]
    if _named(folder) != sorted((split, Path(file).name, digest) for split, file, digest in made):
        splits: dict[str, list[ShardInfo]] = {split: [] for split in SPLITS}
        for split, file, digest in made:
            shard = TokenShard.open(root / file)
            ends = (shard.doc_ids[0].as_py(), shard.doc_ids[-1].as_py())
            splits[split].append(ShardInfo(Path(file).name, len(shard.doc_ids), len(shard.tokens), digest, *ends))
        keep_replaced(folder, {Path(file).name for _, file, _ in made})
        write_dataset(folder, splits, TokenMeta.of(load_tokenizer(folder / "tokenizer")))
    content = read_content(folder / DATASET_FILE)
    columns = ("file", "split", "documents", "tokens", "sha256", "first_doc_id", "last_doc_id")
    ledger.replace_rows("token_shards", [tuple(entry[name] for name in columns) for entry in content["shards"]])
    named = {entry["file"] for entry in content["shards"]}
    for path in folder.glob("*.arrow"):
        if path.name not in named:
            path.unlink()
    return str(content["fingerprint"])


def _named(folder: Path) -> list[tuple[str, str, str]] | None:
    """The sorted (split, file, digest) of the shards that `dataset.json` names; None if it is missing or damaged."""
    try:
        return sorted((entry["split"], entry["file"], entry["sha256"]) for entry in read_content(folder / DATASET_FILE)["shards"])
    except TokenStoreError:
        return None


def published(root: Path) -> str | None:
    """The fingerprint of the corpus's token dataset; None if there is none."""
    path = root / "tokens" / DATASET_FILE
    return json.loads(path.read_text(encoding="utf-8"))["fingerprint"] if path.exists() else None
