"""Lines of navigation: each row of the list has a line that only it takes, and prose is kept."""

import re
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.clean.navigation import HEAD_LINES, Section, navigation_sections
from pipeline.text.character_classes import SPACES
from tests.pipeline.clean.furniture import FURNITURE
from tests.pipeline.clean.removed_lines import removed_lines

PROSE = "川沿いの道をしばらく歩くと古い橋が見えてきました。"


LIKE_FURNITURE = """
目次
検索
コメント
広告
印刷
まとめ
参考
Search
Share
See also
ホーム
次
1 2 3
1
タグ
続きを読むと、犯人がわかります。
この記事をシェアする人が多いのはなぜでしょうか。
クッキーを焼いて友達に配りました。
ここでは、ブラウザに保存されるCookieについて説明します。仕組みは単純です。
JavaScriptを学ぶ
ページの先頭には表題を置きます。
前の記事で書いたとおり、峠は閉じています。
ファイル > オプション > 詳細設定
iPod ＞ Walkman ＞ その他
ホームに立って汽車を待ちました。
タグ：文書の構造を示す。
#include
#別に、急いではいない。
#cloud-config
[tab][tab] [space] - 値を番地に置く
[rpm][fedora] 古い版への対応を削除。
[ < 4 ] と [ > 4 ] を比べる
Category: "custom",
前の記事よりも長い
Amazonで本を買うなら翌日に届きます。
売り上げランキングは毎週変わります。
おすすめ平均点
B!で始まる
フィードとは、サイトの更新情報をまとめ、配信するための文書です。
メールでの問い合わせに、最新情報を調べて答えます。
クリエイティブ・コモンズの写真を使う
By the way, this was written on 2020-03-01.
# 見出し
#tag
2019年2月11日、峠に雪が降りました。
2019年2月11日に公開された映画
更新日がいつかは、わかりません。
3分で読める本を探す。
関連記事を読んだ感想
おすすめの記事を三つ選びました。
人気のない記事
Posts
Twitter Facebook
Powered by steam, the engine climbed the pass。
フォローする側の気持ち
会社のプロモーションを担当する
トップを目指す
このページでは、サクサクのクッキーを焼く方法を紹介します。
当サイトでは人気のクッキー詰め合わせを販売しています。
当サイトではクッキーを使用したお菓子の作り方を紹介します。
このページでは、Cookieを使用してログインの状態を保つ方法を説明します。
本はクッキーの缶に入れてしまってある。
この本は、クッキーの歴史を中世から説き起こす。
We use cookies and cream in this recipe.
この記事ではアフィリエイトの始め方を解説します。
当ブログでは春のプロモーション事例を集めて紹介する。
ブログランキングに参加する方法
タグ：段落を表すpや見出しを表すh1などがある
カテゴリー: 数学の概念で、対象と射からなる
Category: a collection of objects and arrows between them
Tagged with a yellow ring, the bird flew over the pass
トップ／ミドル／ロー
トップ→ミドル→ロー
ホーム／アウェイ
« 春の海 »
この記事が役に立ったら幸いです。
この投稿を下書きに保存する
この記事を読んだ人は驚くかもしれません。
次の記事：峠を越えた日のことを書いた。春だった。
業界の最新情報をチェックすることが大切です。
Continue reading the file until it ends
Subscribe to the event stream
Posted by the door was a notice about the pass
Related by blood
更新日：2019年4月4日 峠の章を書き直した。地図も直した。
戻る道
"""


def navigation_lines(lines: list[str]) -> list[int]:
    """Indices of the lines that are navigation."""
    return removed_lines(lines, "navigation")


def furniture() -> dict[str, list[str]]:
    """The examples by section of the list."""
    sections: dict[str, list[str]] = {}
    for line in FURNITURE.strip("\n").split("\n"):
        if re.fullmatch(r"\[[a-z :]+\]", line):
            sections[line[1:-1]] = []
        else:
            sections[next(reversed(sections))].append(line)
    return sections


EXAMPLES = [(section, line) for section, lines in furniture().items() for line in lines]


@pytest.mark.parametrize(("section", "line"), EXAMPLES)
def test_lines_of_furniture_are_found(section: str, line: str) -> None:
    assert navigation_lines([line, PROSE]) == [0]
    assert navigation_lines([f"  • {line} ", PROSE]) == [0]


@pytest.mark.parametrize("line", [*LIKE_FURNITURE.strip("\n").split("\n"), PROSE])
def test_prose_headings_and_lists_are_no_furniture(line: str) -> None:
    assert navigation_lines([PROSE] * HEAD_LINES + [line]) == []
    assert navigation_lines([line, PROSE]) == []


def test_every_row_of_the_list_has_an_example_that_matches_it() -> None:
    for section in navigation_sections():
        bare = [line.replace("\xa0", " ").strip(" ▲→•»") for line in furniture()[section.name]]
        for row in section.rows:
            assert any(re.fullmatch(row, line) for line in bare), f"no example for {row}"


# No word is required of the names of services such as コピー and X, which occur in prose as well.
ROWS = [
    (section, row)
    for section in navigation_sections()
    if section.words and section.name != "share buttons"
    for row in section.rows
]
# The words are looked for with these kinds of space only.
SPACED = st.characters(exclude_characters="".join(set(SPACES) - set(" \t\u3000")), exclude_categories=["Cs"])


@pytest.mark.parametrize(
    ("section", "row"), ROWS, ids=[f"{section.name}-{row[:12]}-{i}" for i, (section, row) in enumerate(ROWS)]
)
@given(data=st.data())
@settings(max_examples=4, deadline=None)
def test_a_line_that_a_row_takes_holds_a_word_of_its_section(section: Section, row: str, data: st.DataObject) -> None:
    # Hypothesis satisfies a look-ahead only by chance, so the line is tested for it afterwards.
    bare = re.sub(r"^(?:\(\?=(?:[^()\\]|\\.|\((?:[^()\\]|\\.|\((?:[^()\\]|\\.|\([^()]*\))*\))*\))*\))+", "", row)
    line = data.draw(st.from_regex(bare, fullmatch=True, alphabet=SPACED))
    assert not re.fullmatch(row, line) or any(word in line for word in section.words)


def test_a_date_alone_goes_only_near_the_top() -> None:
    head = ["題", "2019-02-11", "副題", "2019-02-12", "三行め", "2019-02-13"]
    assert navigation_lines(head) == [1, 3]


def test_furniture_and_blank_lines_do_not_count_as_lines_of_the_head() -> None:
    assert navigation_lines(["Skip to main content", "題", "", "シェアする", "2019-02-11", PROSE]) == [0, 3, 4]


def test_a_long_line_is_never_furniture() -> None:
    assert navigation_lines(["当サイトではCookieを使用しています" + "し" * 300]) == []


def test_every_row_is_bounded_so_that_no_line_is_slow() -> None:
    lines = [
        unit * (299 // len(unit))
        for unit in (
            "前",
            "1 ",
            "前 ",
            "« ",
            "#a ",
            "HOME>",
            "のRSS",
            "Twitter ",
            "2019-01-01 ",
            "Cookie",
            " ・",
            "の最新情報を",
            "Tags: ",
            "タグ：峠 ",
            "Tags: a ",
            "タグ：あ、",
            "Posted by a ",
        )
    ]
    start = time.perf_counter()
    for line in lines:
        navigation_lines([line] * 10)
    # 120 lines, each well under a millisecond on an idle core.
    assert time.perf_counter() - start < 2
