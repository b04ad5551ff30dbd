"""A worker made ready before it looks at a page: compiled code is loaded, or, in a new environment, compiled first.

A worker that stands still at a page is ended. Compiling takes a minute where nothing is cached yet, and several on a busy
machine; the first page of each worker would be charged with it and dropped for `timeout`, which depends on the machine.
"""

import functools

from pipeline.extract.config import ExtractConfig, Extractor
from pipeline.extract.language import measure_language
from pipeline.extract.stage import extract_record
from pipeline.inputs.record import Record

# Each has a decoder of its own.
_CHARSETS = ("utf-8", "shift_jis", "euc-jp", "iso-2022-jp")
# With a bit of everything that pages have, so that each compiled function is called with the types that it will be called with.
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
# Kana decide without it, so that the page above does not load the model that tells languages apart.
_OTHER_LANGUAGE = "This page is read once before the first page is read."


@functools.cache
def make_ready(extractor: Extractor) -> None:
    """Take a made-up page through all of extract, once in a process and charset."""
    config = ExtractConfig(extractor=extractor)
    measure_language(_OTHER_LANGUAGE)
    for charset in _CHARSETS:
        body = _PAGE.encode(charset)
        extract_record(Record("response", 0, content_type="text/html", http_charset=charset, body=body), config, repeated=False)
