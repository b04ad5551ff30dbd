"""Charset of a page, how it was found, and the exact text."""

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from pipeline.extract.charset import Decoded, canonical_charset, declared_in_page, decode

# The characters of company pages that Python's `shift_jis` and `euc_jp` lack.
PAGE = "<html><title>会社概要</title><body>㈱サンプルの髙橋です。①と②、Ⅲ～Ⅳの﨑さん。ﾊﾝｶｸも使います。</body></html>"
EUC_JP_PAGE = (
    "<html><title>会社概要</title><body>".encode("euc_jp")
    + b"\xad\xea"  # ㈱, in NEC's row 13
    + "サンプルの".encode("euc_jp")
    + b"\xfc\xe2"  # 髙, in NEC's copy of IBM's rows
    + "橋です。".encode("euc_jp")
    + b"\xad\xa1"  # ①
    + "と".encode("euc_jp")
    + b"\xad\xa2"  # ②
    + "ﾊﾝｶｸ</body></html>".encode("euc_jp")
)
EUC_JP_TEXT = "<html><title>会社概要</title><body>㈱サンプルの髙橋です。①と②ﾊﾝｶｸ</body></html>"


def in_page(declaration: str, text: str = PAGE) -> str:
    return text.replace("<html>", f"<html>{declaration}")


def same(decoded: Decoded, text: str, charset: str, source: str) -> None:
    assert decoded == (text, charset, source, 0.0)


@pytest.mark.parametrize(
    "label", ["shift_jis", "Shift_JIS", "x-sjis", "windows-31j", "ms932", "MS_Kanji", "csshiftjis", "cp932", "sjis-win"]
)
@pytest.mark.parametrize("form", ['<meta charset="{}">', "<meta charset={}>", "<META CHARSET='{}' />"])
def test_shift_jis_with_extensions_under_each_label(label: str, form: str) -> None:
    page = in_page(form.format(label))
    same(decode(page.encode("cp932"), None), page, "shift_jis", "meta")


@pytest.mark.parametrize(
    "declaration",
    [
        '<meta http-equiv="Content-Type" content="text/html; charset=Shift_JIS">',
        "<meta content='text/html;charset=x-sjis' http-equiv=content-type>",
        '<meta name="keywords" content="a"><meta\ncharset = shift_jis>',
        "<!-- <meta charset=euc-jp> --><meta charset=shift_jis>",
    ],
)
def test_forms_of_declaration(declaration: str) -> None:
    page = in_page(declaration)
    same(decode(page.encode("cp932"), None), page, "shift_jis", "meta")


def test_xml_declaration() -> None:
    page = '<?xml version="1.0" encoding="Shift_JIS"?>\n' + PAGE
    same(decode(page.encode("cp932"), None), page, "shift_jis", "meta")


def test_declarations_beyond_the_first_4096_bytes_do_not_count() -> None:
    assert declared_in_page(b" " * 4096 + b"<meta charset=shift_jis>") is None
    assert declared_in_page(b" " * 4000 + b"<meta charset=shift_jis>") == "shift_jis"


@pytest.mark.parametrize("label", ["euc-jp", "x-euc-jp", "EUCJP-WIN", "ujis"])
def test_euc_jp_with_row_13_and_half_width_kana(label: str) -> None:
    same(decode(EUC_JP_PAGE, label), EUC_JP_TEXT, "euc-jp", "http")


@pytest.mark.parametrize("http_charset", [None, "utf-8", "shift_jis", "iso-2022-jp"])
def test_iso_2022_jp_is_known_by_its_escapes(http_charset: str | None) -> None:
    page = "<html><title>会社概要</title><body>日本語の頁</body></html>"
    body = page.encode("iso2022_jp").replace("頁".encode("iso2022_jp")[3:5], b"\x2d\x21")
    same(decode(body, http_charset), page.replace("頁", "①"), "iso-2022-jp", "escape")


def test_utf_8_that_shows_an_escape_stays_utf_8() -> None:
    text = "端末に \x1b$B と \x1b[31m を書く。"
    same(decode(text.encode(), None), text, "utf-8", "utf-8")


def test_ascii_with_colours_of_a_terminal_is_not_iso_2022_jp() -> None:
    text = "\x1b(B\x1b[m done \x1b[31m"
    same(decode(text.encode(), "iso-2022-jp"), text, "utf-8", "utf-8")


@pytest.mark.parametrize(
    ("codec", "charset", "mark"),
    [
        ("utf-8", "utf-8", b"\xef\xbb\xbf"),
        ("utf-16-le", "utf-16le", b"\xff\xfe"),
        ("utf-16-be", "utf-16be", b"\xfe\xff"),
        ("utf-32-le", "utf-32le", b"\xff\xfe\0\0"),
        ("utf-32-be", "utf-32be", b"\0\0\xfe\xff"),
    ],
)
def test_byte_order_marks_win_and_are_not_part_of_the_text(codec: str, charset: str, mark: bytes) -> None:
    page = in_page("<meta charset=euc-jp>") + "𠮷野家😀"
    same(decode(mark + page.encode(codec), "shift_jis"), page, charset, "bom")


@pytest.mark.parametrize(("codec", "charset"), [("utf-16-le", "utf-16le"), ("utf-16-be", "utf-16be")])
def test_utf_16_without_a_mark_is_known_by_its_nuls(codec: str, charset: str) -> None:
    same(decode(PAGE.encode(codec), None), PAGE, charset, "detector")
    same(decode(PAGE.encode(codec), charset), PAGE, charset, "http")


def test_half_a_surrogate_pair_becomes_a_replacement_character() -> None:
    decoded = decode(b"\xff\xfe" + "あ😀".encode("utf-16-le")[:-2], None)
    assert decoded.text.startswith("あ\ufffd")
    decoded.text.encode("utf-8")


@pytest.mark.parametrize("http_charset", [None, "shift_jis", "euc-jp", "iso-8859-1", "gb2312", "nonsense", ""])
@pytest.mark.parametrize("declaration", ["", "<meta charset=shift_jis>", "<meta charset=windows-1252>"])
def test_utf_8_wins_over_any_declaration(http_charset: str | None, declaration: str) -> None:
    page = in_page(declaration)
    same(decode(page.encode(), http_charset), page, "utf-8", "utf-8")


@pytest.mark.parametrize("http_charset", [None, "iso-8859-1", "shift_jis"])
def test_damaged_utf_8_is_still_utf_8(http_charset: str | None) -> None:
    body = PAGE.encode()
    cut = decode(body[: body.index("の".encode()) + 2], http_charset)
    assert (cut.charset, cut.source) == ("utf-8", "utf-8")
    one_byte = decode(body.replace("です".encode(), "で".encode() + b"\xff"), http_charset)
    assert one_byte.text == PAGE.replace("です", "で\ufffd")
    assert one_byte.charset == "utf-8"
    assert one_byte.replacement_share == 1 / len(one_byte.text)


@pytest.mark.parametrize("http_charset", [None, "utf-8", "iso-8859-1", "euc-jp", "windows-1251", "gb2312"])
def test_shift_jis_under_a_wrong_header_and_no_label(http_charset: str | None) -> None:
    same(decode(PAGE.encode("cp932"), http_charset), PAGE, "shift_jis", "detector")


@pytest.mark.parametrize("http_charset", [None, "utf-8", "iso-8859-1", "shift_jis", "big5"])
def test_euc_jp_under_a_wrong_header_and_no_label(http_charset: str | None) -> None:
    same(decode(EUC_JP_PAGE, http_charset), EUC_JP_TEXT, "euc-jp", "detector")


def test_the_header_comes_before_the_page() -> None:
    page = "<meta charset=windows-1252>Привет, мир"
    same(decode(page.encode("windows-1251"), "windows-1251"), page, "windows-1251", "http")


def test_a_header_that_contradicts_the_bytes_gives_way_to_the_page() -> None:
    page = in_page("<meta charset=gb18030>", "<html>中文网页，没有假名。需要许多汉字。</html>")
    same(decode(page.encode("gb18030"), "euc-jp"), page, "gb18030", "meta")


@pytest.mark.parametrize(
    ("label", "codec", "name", "text"),
    [
        ("gb2312", "gb2312", "gbk", "中文网页，需要许多汉字"),
        ("gbk", "gbk", "gbk", "歌词：さくら さくら 日语歌曲的中文页面，需要许多汉字镕"),
        ("big5", "big5", "big5", "繁體中文網頁"),
        ("euc-kr", "cp949", "euc-kr", "한국어 페이지 똠방각하"),
        ("koi8-r", "koi8-r", "koi8-r", "Русский текст"),
        ("windows-1251", "windows-1251", "windows-1251", "Русский текст"),
        ("iso-8859-1", "windows-1252", "windows-1252", "Déjà vu – “naïve” 5 €"),
        ("iso-8859-2", "iso-8859-2", "iso-8859-2", "Příliš žluťoučký kůň"),
        ("iso-8859-8-i", "iso-8859-8", "iso-8859-8-i", "שלום"),
        ("tis-620", "cp874", "windows-874", "ภาษาไทย"),
    ],
)
def test_other_languages_are_read_by_label(label: str, codec: str, name: str, text: str) -> None:
    same(decode(text.encode(codec), label), text, name, "http")
    page = f"<meta charset='{label}'>{text}"
    same(decode(page.encode(codec), None), page, name, "meta")


def test_a_legacy_page_cut_in_the_middle_of_a_character_keeps_its_source() -> None:
    page = in_page("<meta charset=shift_jis>", PAGE[:-20])
    decoded = decode((page + "株").encode("cp932")[:-1], None)
    assert decoded == (page + "\ufffd", "shift_jis", "meta", 1 / (len(page) + 1))


@pytest.mark.parametrize("http_charset", [None, "iso-8859-1", "shift_jis"])
def test_one_broken_byte_in_a_legacy_page_is_recorded(http_charset: str | None) -> None:
    text = PAGE * 5
    body = text.encode("cp932").replace("です。".encode("cp932"), b"\x82\x20\xa0", 1)
    decoded = decode(body, http_charset)
    assert decoded.text == text.replace("です。", "\ufffd \ufffd", 1)
    assert decoded[1:] == ("shift_jis", "replacement", 2 / len(decoded.text))


def test_unreadable_bytes_become_utf_8_with_their_share_of_replacement() -> None:
    decoded = decode(b"caf\xe9 \xff", None)
    assert decoded == ("caf\ufffd \ufffd", "utf-8", "replacement", 2 / 6)


def test_replacement_characters_that_the_author_left_are_counted_too() -> None:
    assert decode("文\ufffd".encode(), None).replacement_share == 0.5


def test_the_empty_page() -> None:
    same(decode(b"", None), "", "utf-8", "utf-8")


@pytest.mark.parametrize(
    ("label", "name"),
    [(' "Shift_JIS"; ', "shift_jis"), ("UTF8", "utf-8"), ("latin1", "windows-1252"), ("none", None), (None, None)],
)
def test_labels(label: str | None, name: str | None) -> None:
    assert canonical_charset(label) == name


PROSE = st.text(
    alphabet="あいうえおかきくけこさしすせそたちつてとのはをアイウエオ漢字日本語文章東京都①㈱髙～。、<p>/ \n",
    min_size=8,
)


def has_kana(text: str) -> bool:
    return sum("ぁ" <= character <= "ヺ" for character in text) * 4 >= sum(character > "\x7f" for character in text) > 4


@given(PROSE)
def test_any_japanese_text_in_shift_jis_is_found_without_a_label(text: str) -> None:
    body = text.encode("cp932")
    assume(has_kana(text))
    assert decode(body, None) == (text, "shift_jis", "detector", 0.0)


@given(PROSE.map(lambda text: text.translate({ord(character): None for character in "①㈱髙～"})))
def test_any_japanese_text_in_euc_jp_is_found_without_a_label(text: str) -> None:
    assume(has_kana(text))
    assert decode(text.encode("euc_jp"), None) == (text, "euc-jp", "detector", 0.0)


@given(st.text(alphabet=st.characters(exclude_categories=["Cs"], exclude_characters="\x00\x1b\ufffd\ufeff")))
def test_any_text_in_utf_8_comes_back(text: str) -> None:
    assert decode(text.encode(), "shift_jis") == (text, "utf-8", "utf-8", 0.0)


@given(st.binary(), st.sampled_from([None, "shift_jis", "euc-jp", "gbk", "big5", "utf-16", "utf-7", "x-user-defined"]))
@example(b"\x1b$B", None)
@example(b"<meta charset=", None)
@example(b"\xff\xfe\x00\xd8", None)
@example(b"\x82\xa0\xff<meta charset=hz-gb-2312>", None)
def test_any_bytes_become_text_that_can_be_written(body: bytes, http_charset: str | None) -> None:
    decoded = decode(body, http_charset)
    decoded.text.encode("utf-8")
    assert 0.0 <= decoded.replacement_share <= 1.0
