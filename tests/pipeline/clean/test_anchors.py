"""Link signs after headings."""

import pytest

from pipeline.clean.anchors import anchor_edits
from pipeline.text.edits import apply


def without_anchors(text: str) -> str:
    return apply(text, anchor_edits(text))


def test_signs_behind_headings_go_and_nothing_else_does() -> None:
    text = "はじめに#\n段落。#と#の話。\nKEYUCA#\n還元率 1.5%#\n「まとめ」#\nおわりに¶ \n# 見出し\n#タグ"
    assert without_anchors(text) == "はじめに\n段落。#と#の話。\nKEYUCA\n還元率 1.5%\n「まとめ」\nおわりに \n# 見出し\n#タグ"


@pytest.mark.parametrize("heading", ["シャープの記号は#", "第1章¶"])
def test_one_sign_is_no_link(heading: str) -> None:
    assert without_anchors(f"{heading}\n段落。\n井桁 #") == f"{heading}\n段落。\n井桁 #"


@pytest.mark.parametrize(
    "line",
    ["C#", "言語は C#", "ASP.NET/C#", "$ cd ~#", "[root@host work]#", "root@host:/#", "見出し#2", "見出し##"],
)
def test_languages_prompts_and_numbers_stay_among_headings_with_signs(line: str) -> None:
    assert without_anchors(f"はじめに#\n{line}\nまとめ#") == f"はじめに\n{line}\nまとめ"
