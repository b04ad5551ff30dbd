"""Small corpora of JSON lines, whose texts and fields a test invents; no rule of the profile drops them."""

import json
import random
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pipeline.manifest import read_manifest
from pipeline.operations.run import run
from pipeline.engine.runner import Listener
from pipeline.quality.profiles import PROFILES
from tests.pipeline.corpora import InThisProcess

_NOUNS = "港 市場 灯台 坂道 図書館 食堂 棚田 太鼓 地図 祖母 漁師 豆腐屋 学校 船大工 干物 北風 洗濯物 神社 入り江 塩田".split()
_VERBS = "見る 聞く 思い出す 待つ 探す 描く 語る 渡る 直す 訪ねる 包む 運ぶ 眺める 覚える 伝える 残す".split()


def article(seed: int, sentences: int = 40) -> str:
    """A Japanese text of its own: two seeds share hardly any run of five characters."""
    drawn = random.Random(seed)
    return "\n".join(
        f"{drawn.choice(_NOUNS)}の{drawn.choice(_NOUNS)}を{drawn.choice(_VERBS)}とき、"
        f"{drawn.choice(_NOUNS)}は{drawn.randrange(10_000)}番の{drawn.choice(_NOUNS)}で{drawn.choice(_VERBS)}ことにした。"
        for _ in range(sentences)
    )


def build_texts(folder: Path, rows: Sequence[Mapping[str, Any]], *changes: str, name: str = "texts.jsonl") -> Path:
    """Build the corpus of `rows` in `folder`/out; the file of rows is `folder`/`name`."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    manifest = folder / "manifest.yaml"
    off = {rule.measured: None for rule in PROFILES["swallow_code"]}
    manifest.write_text(json.dumps({"input": str(path), "quality": off, "tokenizer": {"kind": "bpe", "vocabulary": 400}}))
    resolved = read_manifest(str(manifest), changes, output=str(folder / "out"), workers=1)
    assert run(resolved, Listener(), InThisProcess()).failed == []
    return folder / "out"
