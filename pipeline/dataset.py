"""The token dataset as a whole: which shards it has, and the one file that makes them visible, written last."""

import json
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import yaml

from pipeline.ledger import Ledger
from pipeline.token_store import DATASET_FILE, ShardInfo, TokenMeta, TokenShard, write_dataset
from pipeline.tokenize import TokenizeConfig, id_numbers, is_validation
from pipeline.tokenizer import load_tokenizer

SPLITS = ("train", "val")


def shard_names(root: Path) -> list[str]:
    """The names of the shards that `order.parquet` plans, none before there is one."""
    return [row["name"] for row in _order(root)]


def _order(root: Path) -> list[dict[str, Any]]:
    path = root / "order.parquet"
    return pq.read_table(path).to_pylist() if path.exists() else []


def publish(root: Path, ledger: Ledger) -> str:
    """Write `dataset.json` over the shards that are done, remove those of an older dataset, and return the fingerprint."""
    folder = root / "tokens"
    meta = TokenMeta.of(load_tokenizer(folder / "tokenizer"))
    units = ledger.units()
    splits: dict[str, list[ShardInfo]] = {split: [] for split in SPLITS}
    rows = []
    for row in _order(root):
        for file, digest in units[("shards", row["name"])].output.items():  # one; none where all its documents were removed
            shard = TokenShard.open(root / file)
            ends = (shard.doc_ids[0].as_py(), shard.doc_ids[-1].as_py())
            info = ShardInfo(Path(file).name, len(shard.doc_ids), len(shard.tokens), digest, *ends)
            splits[row["split"]].append(info)
            rows.append((info.file, row["split"], info.documents, info.tokens, digest, *ends))
    fingerprint = write_dataset(folder, splits, meta)
    ledger.replace_rows("token_shards", rows)
    named = {file for file, *_ in rows}
    for path in folder.glob("*.arrow"):
        if path.name not in named:
            path.unlink()
    return fingerprint


def published(root: Path) -> str | None:
    """The fingerprint of the dataset that stands in the corpus, if there is one."""
    path = root / "tokens" / DATASET_FILE
    return json.loads(path.read_text(encoding="utf-8"))["fingerprint"] if path.exists() else None


def split_of(root: Path, doc_id: str) -> str:
    """`train` or `val`, by the validation share that the corpus was built with."""
    resolved = yaml.safe_load((root / "manifest.yaml").read_text(encoding="utf-8"))
    share = TokenizeConfig.model_validate(resolved["tokenize"]).validation_share
    return "val" if is_validation(id_numbers([doc_id]), share)[0] else "train"
