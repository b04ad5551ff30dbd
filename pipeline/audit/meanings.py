"""What rules and measured numbers mean, in a few words each, in English and in Japanese: for the yield table and the report.

The exact definitions of the numbers are in `pipeline.measure.table`; of stages and reasons, in the rules themselves.
"""

from typing import NamedTuple


class Meaning(NamedTuple):
    """A few words; `en` has at most 36 characters, so that the yield table fits 120 columns."""

    en: str
    ja: str


MEASURES: dict[str, Meaning] = {
    "num_letters": Meaning("characters", "文字数(改行を含む)"),
    "num_hiragana_letters": Meaning("hiragana", "ひらがなの数"),
    "num_katakana_letters": Meaning("katakana", "カタカナの数(「ー」と半角を除く)"),
    "num_kanji_letters": Meaning("kanji", "漢字の数(々〇〻を含む)"),
    "num_kuten": Meaning("full stops (kuten)", "句点の数(。．！？、全角のみ)"),
    "num_toten": Meaning("commas (toten)", "読点の数(、，)"),
    "num_japanese_letters": Meaning("Japanese letters", "日本語の文字数(かな・漢字・句読点の合計)"),
    "hiragana_fraction": Meaning("hiragana / Japanese letters", "日本語の文字に占めるひらがなの割合"),
    "katakana_fraction": Meaning("katakana / Japanese letters", "日本語の文字に占めるカタカナの割合"),
    "kanji_fraction": Meaning("kanji / Japanese letters", "日本語の文字に占める漢字の割合"),
    "kuten_fraction": Meaning("full stops / Japanese letters", "日本語の文字に占める句点の割合"),
    "toten_fraction": Meaning("commas / Japanese letters", "日本語の文字に占める読点の割合"),
    "japanese_fraction": Meaning("Japanese letters / characters", "全文字に占める日本語の文字の割合"),
    "avg_sentence_length": Meaning("mean characters per sentence", "1文の平均文字数(文末記号を含む)"),
    "max_sentence_length": Meaning("characters of the longest sentence", "最も長い文の文字数"),
    "num_sentences_ending_with_ellipsis": Meaning("sentences that end in an ellipsis", "「・」や「…」で終わる文の数"),
    "ellipsis_fraction": Meaning("sentences that end in an ellipsis", "「・」や「…」で終わる文の割合"),
    "duplicate_paragraph_fraction": Meaning("lines that repeat an earlier one", "前の行と同じ行の割合"),
    "duplicate_paragraph_fraction_in_character": Meaning("characters in repeated lines", "前の行と同じ行に含まれる文字の割合"),
    "duplicate_sentence_fraction": Meaning("sentences that repeat an earlier one", "前の文と同じ文の割合"),
    "duplicate_sentence_fraction_in_character": Meaning("characters in repeated sentences", "前の文と同じ文に含まれる文字の割合"),
    **{
        f"top_{n}gram_character_fraction": Meaning(
            f"commonest {n}-gram / all {n}-grams", f"最も多い文字{n}-gramがすべての{n}-gramに占める割合"
        )
        for n in (2, 3, 4)
    },
    **{
        f"duplicate_{n}gram_character_fraction": Meaning(
            f"{n}-grams that occur more than once", f"異なる文字{n}-gramのうち、2回以上現れるものの割合"
        )
        for n in range(5, 11)
    },
    **{
        f"gopher_top_{n}gram_character_fraction": Meaning(
            f"characters in the commonest {n}-gram", f"最も多い文字{n}-gramが占める文字の割合(上限1)"
        )
        for n in (2, 3, 4)
    },
    **{
        f"gopher_duplicate_{n}gram_character_fraction": Meaning(
            f"characters in repeated {n}-grams", f"2回以上現れる文字{n}-gramに含まれる文字の割合"
        )
        for n in range(5, 11)
    },
    "num_ng_letters": Meaning("characters of NG expressions", "NG表現の文字数"),
    "ng_fraction": Meaning("NG expressions / Japanese letters", "日本語の文字に占めるNG表現の割合"),
    "num_ng_letters_not_allowed": Meaning("NG characters that are not allowed", "許可語に含まれないNG表現の文字数"),
    "ng_character_fraction": Meaning("NG expressions / characters", "全文字に占めるNG表現の割合(許可語を除く)"),
    "has_dating_expression": Meaning("has an expression of dating sites", "出会い系サイトの表現を含むか"),
    "n_chars": Meaning("characters as stored", "保存した本文の文字数"),
    "n_bytes": Meaning("bytes as stored", "保存した本文のバイト数(UTF-8)"),
    "num_sentences": Meaning("sentences", "文の数"),
    "num_lines": Meaning("lines that are not blank", "空行でない行の数"),
    "mean_line_length": Meaning("mean characters per line", "1行の平均文字数"),
    "short_line_fraction": Meaning("lines shorter than 20 characters", "20文字未満の行の割合"),
    "bullet_line_fraction": Meaning("lines that begin with a bullet", "箇条書きの記号で始まる行の割合"),
    "lines_ending_with_punctuation_fraction": Meaning("lines that end in punctuation", "句読点などで終わる行の割合"),
    "whitespace_fraction": Meaning("white space / characters", "全文字に占める空白の割合"),
    "symbol_fraction": Meaning("symbols / characters", "全文字に占める記号の割合"),
    "digit_fraction": Meaning("digits / characters", "全文字に占める数字の割合"),
    "latin_fraction": Meaning("Latin letters / characters", "全文字に占めるラテン文字の割合"),
    "num_urls": Meaning("URLs in the text", "本文中のURLの数"),
    "unique_character_fraction": Meaning("different characters / characters", "全文字数に対する文字の種類の割合"),
    "compression_ratio": Meaning("compressed size / size", "圧縮後の大きさの割合(zstd、レベル1)"),
}

# By stage and rule, those of quality's measures aside: these mean the measure that they judge.
RULES: dict[str, Meaning] = {
    "corrupt_record": Meaning("the record cannot be read", "レコードが壊れていて読めない"),
    "truncated": Meaning("the crawler stopped in the middle", "クローラーが途中で打ち切った"),
    "not_a_page": Meaning("a request, metadata or like record", "ページではないレコード(リクエストやメタデータなど)"),
    "revisit": Meaning("a revisit; the page is elsewhere", "再訪の記録で、ページは別の場所にある"),
    "http_status": Meaning("HTTP status", "HTTPステータスが200番台でない"),
    "not_html": Meaning("neither header nor body says HTML", "HTMLではない"),
    "oversized_page": Meaning("more bytes than max_page_bytes", "ページがmax_page_bytesより大きい"),
    "oversized_text": Meaning("more bytes than max_text_bytes", "テキストがmax_text_bytesより大きい"),
    "undecodable_body": Meaning("an encoding that cannot be undone", "圧縮や転送の符号化を元に戻せない"),
    "same_record": Meaning("the same record was read before", "同じレコードをすでに読んでいる"),
    "rapid_check": Meaning("visible kana, before parsing", "解析前に数えた、表示されるかなの数が少ない"),
    "undecodable_text": Meaning("share of undecodable characters", "文字化けした文字の割合が高い"),
    "nesting": Meaning("depth of nested elements", "要素の入れ子が深すぎる"),
    "parser_work": Meaning("work that parsing would take", "解析の手間が大きすぎる"),
    "attributes": Meaning("attributes of one element", "一つの要素の属性が多すぎる"),
    "timeout": Meaning("computing took too long", "処理に時間がかかりすぎた"),
    "parser_crash": Meaning("the page ended several workers", "複数のワーカーがこのページで異常終了した"),
    "no_text": Meaning("characters of main text", "本文がない"),
    "not_japanese": Meaning("score of the language check", "日本語の文章と判定されなかった"),
    "near_duplicate": Meaning("similarity to a page that is kept", "残したページとほぼ同じ内容"),
    "near_duplicate_of_earlier": Meaning("similarity to an earlier corpus", "以前のコーパスのページとほぼ同じ内容"),
    "listed_host": Meaning("the host is on a list", "ホストが除外リストにある"),
    "ng_character_share": Meaning("NG characters of the whole host", "ホスト全体に占めるNG表現の割合が高い"),
    "dating_page_share": Meaning("pages of the host on dating", "ホスト内の出会い系ページの割合が高い"),
    "empty_after_cleaning": Meaning("characters left after cleaning", "整形後に文字が残らない"),
    "personal_data": Meaning("personal data found", "個人情報を含む"),
    "taken_down": Meaning("taken down on request", "依頼により取り下げた"),
    "copy_of_taken_down": Meaning("similarity to a page taken down", "取り下げたページの複製"),
}


def meaning(rule: str) -> Meaning:
    """What a rule judges; a rule on a field of the records means that field."""
    if rule.startswith("fields."):
        field = rule.removeprefix("fields.")
        return Meaning(f"the record's field {field}", f"レコードの項目 {field}")
    return RULES.get(rule) or MEASURES.get(rule) or Meaning("", "")
