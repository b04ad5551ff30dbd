"""Texts of JSON lines from the input to the token shards: to the byte, each once, and judged as a reader sees them."""

import json
import unicodedata
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from pipeline.corpus.views import read_ledger
from pipeline.operations.run import run
from pipeline.tokens.dataset import TokenDataset
from pipeline.tokens.opening import load_tokenizer
from tests.conftest import sample_manifest
from tests.pipeline.corpora import InThisProcess
from tests.pipeline.operations.runs import Recorder

MARKDOWN = """\
# 渡し船の時刻を数える小さな道具

川向こうの集落へ渡る船は、朝の六時から夕方の五時まで動いている。船頭が替わる昼どきだけは三十分ほど間があき、
その日の水かさによっては、もう少し長く待たされることもある。\x20\x20
停留所の小屋には紙の時刻表が貼ってあるが、雨ににじんで読めない年が続いた。

そこで、つぎの船まで何分あるかを教えてくれる短い道具を書いた。使い方はやさしい。

- 時刻を分に直して渡す
    - 夜中をまたぐ場合は考えない
- 返ってくるのは待つ分数である

```python
DEPARTURES = [360, 400, 455, 520]


def minutes_to_wait(now: int) -> int:
\t# 出たばかりの船には乗れない，つぎを待つ．
    for departure in DEPARTURES:

        if departure > now:
            return departure - now
    return -1\x20\x20
```

はじめは船の速さまで数えようとしたが、流れは季節ごとに変わり、測ってもすぐに古くなる。
結局のところ、乗る人が知りたいのは自分が走るべきかどうかだけだった。それなら出る時刻がわかれば足りる。

> 小屋の柱に吊した温度計と同じで、ひと目で読めることがいちばん大事だと船頭は笑っていた。

いまでは学校へ通う子どもたちも、鞄を背負ったまま画面をのぞき、間に合うとわかると歩幅をゆるめる。
急ぐ必要のない朝は、土手の草に残る露や、対岸で干された網の色までよく見えるのだという。

| 船 | 定員 |
|----|-----:|
| 一 | 12   |

次の春には、水かさに応じて遅れを足す仕組みも加えるつもりでいる。

"""
PROSE = (
    "坂の途中にある古い帳面屋は、紙を一枚ずつ選ばせてくれる。厚さも色も少しずつ違い、指で触れるとその差がよくわかる。\n"
    "店の奥では、背を糸でかがる仕事が続いている。針の穴を等しい間合いにあけるのが肝心で、一か所でもずれると開きが悪くなるそうだ。\n"
    "わたしは旅の記録に使うつもりで、薄い灰色の紙を六十枚ほど頼んだ。表紙には藍で染めた布を貼ってもらうことにした。\n"
    "待つあいだ、棚に並んだ見本をめくっていると、だれかが試し書きした短い文句が目にとまる。雨の音、遠い汽笛、母の声。\n"
    "書き手の顔は知らないのに、その人が過ごした時間だけは、紙の上に確かに残っているように思えた。\n"
    "できあがった帳面は思ったより軽く、鞄に入れるとほとんど重さを感じない。店を出ると、西の空がうすく晴れはじめていた。\n"
    "最初の頁には、まだ何も書いていない。書き出しを決めかねたまま、次の町へ向かう列車を待っている。\n"
    "もし気に入らない一行になったとしても、糸をほどけば、その紙だけを静かに抜き取ることができるのだから。"
)
OTHER = (
    "冬の終わりになると、山あいの炭焼き小屋から細い煙がのぼる。窯の火は三日三晩つづき、そのあいだ番をする人は小屋で眠る。\n"
    "煙の色が白から青へ変わるころが、口を塞ぐ合図になる。早すぎれば芯が残り、遅すぎれば崩れやすい炭になってしまう。\n"
    "祖父はそれを、匂いと音で決めていた。薪のはぜる響きが遠のき、土の下で低くうなるような気配に変わる瞬間があるのだという。\n"
    "見習いに来た若者は、はじめの年に二度も失敗した。それでも責められることはなく、灰は畑にまかれ、豆の肥やしになった。\n"
    "五年たった今、若者はひとりで窯を任されている。出来ばえを尋ねると、まだ音が聞き取れない日があると首をかしげた。\n"
    "届いた炭を火鉢に移すと、部屋の空気がゆっくりほどけていく。湯気の向こうで猫が丸くなり、窓の雪が音もなく落ちた。\n"
    "一俵の値段は決して高くない。けれど、そこに含まれる夜の数を思うと、指先でつまむ一片さえおろそかにはできない。\n"
    "来月には、隣の谷で使われなくなった窯も直すことになった。崩れた石を積みなおすところから始めるそうである。"
)
COPIES = {
    "plain": PROSE,
    "zero-width-space": PROSE.replace("、", "、\u200b").replace("の", "\u200bの"),
    "soft-hyphen": PROSE.replace("の", "\u00adの\u00ad"),
    "decomposed": unicodedata.normalize("NFD", PROSE),
    "western-marks": PROSE.translate({ord("、"): "，", ord("。"): "．"}),
    "footer": f"{PROSE}\nCopyright (C) 2024 帳面通信 All Rights Reserved.\n無断転載を禁じます",
    "navigation": f"シェアする\n{PROSE}\n\n続きを読む\n",
    "blank-lines": PROSE.replace("\n", "\r\n\r\n"),
}
TEXTS = {"markdown": MARKDOWN, **COPIES, "between-all-letters": "\u200b".join(OTHER)}


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A corpus of `TEXTS` by the default manifest; all rows have the same id."""
    folder = tmp_path_factory.mktemp("texts")
    rows = [{"id": 0, "url": f"https://{name}.example/", "text": text} for name, text in TEXTS.items()]
    again = [{**rows[0]}, {**rows[0], "url": "", "text": OTHER[:20]}, {**rows[0], "url": "", "text": OTHER[20:40]}]
    path = folder / "texts.jsonl"
    path.write_text("\n".join(json.dumps(row, ensure_ascii=False) for row in [*rows, *again]), encoding="utf-8")
    manifest = sample_manifest(folder / "out", inputs=[str(path)])
    assert run(manifest, Recorder(), InThisProcess()).failed == []
    return folder / "out"


def rows_of(corpus: Path, query: str) -> list[tuple[Any, ...]]:
    with read_ledger(corpus) as ledger:
        return ledger.rows(query)


def test_markdown_with_code_comes_out_of_the_shards_as_it_went_in(built: Path) -> None:
    tokenizer = load_tokenizer(built / "tokens" / "tokenizer")
    dataset = TokenDataset.open(built / "tokens")
    decoded = [
        tokenizer.decode(shard.tokens[start + 1 : end])
        for split in ("train", "val")
        for shard in dataset.split(split).shards
        for start, end in zip(shard.offsets[:-1].tolist(), shard.offsets[1:].tolist(), strict=True)
    ]
    assert MARKDOWN.encode() in [text.encode() for text in decoded]
    assert rows_of(built, "SELECT count(*) FROM edits JOIN documents USING (doc_id) WHERE url LIKE '%markdown%'") == [(0,)]


def test_texts_are_stored_and_counted_as_they_came(built: Path) -> None:
    (path,) = (built / "documents").iterdir()
    stored = {row["url"]: row["text"] for row in pq.read_table(path).to_pylist()}
    assert {url.removeprefix("https://").removesuffix(".example/"): text for url, text in stored.items() if url} == TEXTS
    sizes = "SELECT n_chars, n_bytes, num_letters FROM features JOIN documents USING (doc_id) WHERE url LIKE '%markdown%'"
    letters = len("\n".join(line.rstrip() for line in MARKDOWN.split("\n") if line.strip()))
    assert rows_of(built, sizes) == [(len(MARKDOWN), len(MARKDOWN.encode()), letters)]


def test_of_copies_that_cleaning_makes_equal_one_stays(built: Path) -> None:
    names = ", ".join(f"'https://{name}.example/'" for name in COPIES)
    fates = rows_of(built, f"SELECT coalesce(rule, 'kept'), count(*) FROM fates WHERE url IN ({names}) GROUP BY 1 ORDER BY 1")
    assert fates == [("kept", 1), ("near_duplicate", len(COPIES) - 1)]


def test_invisible_characters_count_for_nothing(built: Path) -> None:
    query = "SELECT japanese_fraction, kept FROM features JOIN fates USING (doc_id) WHERE url LIKE '%between-all-letters%'"
    ((share, kept),) = rows_of(built, query)
    assert share > 0.95
    assert kept


def test_rows_with_one_id_are_as_many_documents_as_they_have_texts(built: Path) -> None:
    fates = rows_of(
        built, "SELECT coalesce(rule, 'kept'), url FROM fates WHERE rule IS NULL OR rule = 'same_record' ORDER BY ALL"
    )
    assert [url for rule, url in fates if rule == "same_record"] == ["https://markdown.example/"]
    assert rows_of(built, "SELECT count(DISTINCT doc_id) FROM records") == [(len(TEXTS) + 2,)]
