"""Prepares a worker before its first page: loads the compiled code, or compiles it in a new environment.

A worker that spends too long on a page is killed. Compiling takes a minute if nothing is cached, and several on a busy machine;
the first page of each worker would be charged for that and dropped for `timeout`, depending on the machine.
"""

import functools

from pipeline.extract.config import ExtractConfig, Extractor
from pipeline.extract.language import measure_language
from pipeline.extract.stage import extract_record
from pipeline.inputs.record import Record

# Each has its own decoder.
_CHARSETS = ("utf-8", "shift_jis", "euc-jp", "iso-2022-jp")
# A page with a bit of everything, so that each compiled function is called with the types it will see later.
_PAGE = """<!doctype html>
<html lang="ja"><head><title>準備のためのページ</title><style>p { margin: 0 }</style></head><body>
<nav><ul><li><a href="/">トップ</a></li><li><a href="/list">一覧</a></li></ul></nav>
<article class="entry-content"><h1>準備のためのページ</h1>
<p>このページは、最初のページを読む前に一度だけ読まれます。<b>太い字</b>も、<a href="/x">リンク</a>も、&amp; のような記号も。
</p>
<p>二つ目の段落です。表も、リストも、プログラムも後に続きますから、少し長めに書いておきます。</p>
<table><tr><th>項目<td>値<tr><td>色<td>青</table><ul><li>りんご<li>みかん</ul><pre>for x in y:\n    z(x)</pre>
<p>三つ目の段落で終わります。ここまで読んでくださって、ありがとうございました。</p></article>
<footer>記事の著作権は書いた人にあります。</footer></body></html>
"""
# The page above is decided by its kana, so it does not load the language model; this text does.
_OTHER_LANGUAGE = "This page is read once before the first page is read."


@functools.cache
def make_ready(extractor: Extractor) -> None:
    """Run a made-up page through all of `extract`, once per charset; later calls in the same process do nothing."""
    config = ExtractConfig(extractor=extractor)
    measure_language(_OTHER_LANGUAGE)
    for charset in _CHARSETS:
        body = _PAGE.encode(charset)
        extract_record(Record("response", 0, content_type="text/html", http_charset=charset, body=body), config, repeated=False)
