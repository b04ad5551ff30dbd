"""The table of measured numbers: the name, type, meaning and source of each column of `features/`.

All but the two sizes of the stored text are numbers of its normal form (`pipeline.text.normal_form`).
"""

from typing import NamedTuple

import pyarrow as pa


class Measure(NamedTuple):
    """One measured number: a column of the table of features."""

    name: str
    type: pa.DataType
    description: str
    source: str


COUNT, FRACTION, FLAG = pa.int32(), pa.float64(), pa.bool_()

SWALLOW = "Swallow quality.py"
SWALLOW_NG = "Swallow ngword.py"
SWALLOW_PAPER = "Okazaki et al. 2024"
GOPHER = "Rae et al. 2021, A1.1"
C4 = "Raffel et al. 2020, 2.2"
OWN = "kotokura"

MEASURES: tuple[Measure, ...] = (
    Measure("num_letters", COUNT, "characters (code points), line ends included", SWALLOW),
    Measure("num_hiragana_letters", COUNT, "hiragana, U+3041 to U+3096", SWALLOW),
    Measure("num_katakana_letters", COUNT, "katakana, U+30A1 to U+30FA: without ー and half-width forms", SWALLOW),
    Measure("num_kanji_letters", COUNT, "kanji: 々〇〻, U+3400 to U+9FFF, U+F900 to U+FAFF", SWALLOW),
    Measure("num_kuten", COUNT, "。．！？ (full-width only)", SWALLOW),
    Measure("num_toten", COUNT, "、，", SWALLOW),
    Measure("num_japanese_letters", COUNT, "sum of the five above", SWALLOW),
    Measure("hiragana_fraction", FRACTION, "hiragana / Japanese letters", SWALLOW),
    Measure("katakana_fraction", FRACTION, "katakana / Japanese letters", SWALLOW),
    Measure("kanji_fraction", FRACTION, "kanji / Japanese letters", SWALLOW),
    Measure("kuten_fraction", FRACTION, "kuten / Japanese letters", SWALLOW),
    Measure("toten_fraction", FRACTION, "toten / Japanese letters", SWALLOW),
    Measure("japanese_fraction", FRACTION, "Japanese letters / characters", SWALLOW),
    Measure("avg_sentence_length", FRACTION, "mean characters of a sentence, end mark included", SWALLOW),
    Measure("max_sentence_length", COUNT, "characters of the longest sentence", SWALLOW),
    Measure("num_sentences_ending_with_ellipsis", COUNT, "sentences that end in ・ or …, white space aside", SWALLOW),
    Measure("ellipsis_fraction", FRACTION, "those / sentences", SWALLOW),
    Measure("duplicate_paragraph_fraction", FRACTION, "lines equal to an earlier one / lines", SWALLOW),
    Measure("duplicate_paragraph_fraction_in_character", FRACTION, "characters in those / in all lines", SWALLOW),
    Measure("duplicate_sentence_fraction", FRACTION, "sentences equal to an earlier one / sentences", SWALLOW),
    Measure("duplicate_sentence_fraction_in_character", FRACTION, "characters in those / in all sentences", SWALLOW),
    *(
        Measure(f"top_{n}gram_character_fraction", FRACTION, f"occurrences of the commonest {n}-gram / of all", SWALLOW)
        for n in (2, 3, 4)
    ),
    *(
        Measure(f"duplicate_{n}gram_character_fraction", FRACTION, f"repeated {n}-grams / different {n}-grams", SWALLOW)
        for n in (5, 6, 7, 8, 9, 10)
    ),
    *(
        Measure(
            f"gopher_top_{n}gram_character_fraction",
            FRACTION,
            f"{n} × occurrences of the commonest {n}-gram / characters, at most 1",
            GOPHER,
        )
        for n in (2, 3, 4)
    ),
    *(
        Measure(
            f"gopher_duplicate_{n}gram_character_fraction",
            FRACTION,
            f"characters inside any occurrence of a repeated {n}-gram, each once / characters",
            GOPHER,
        )
        for n in (5, 6, 7, 8, 9, 10)
    ),
    Measure("num_ng_letters", COUNT, "characters of NG expressions", SWALLOW_NG),
    Measure("ng_fraction", FRACTION, "those / Japanese letters", SWALLOW_NG),
    Measure("num_ng_letters_not_allowed", COUNT, "characters of NG expressions outside allowed ones", SWALLOW_PAPER),
    Measure("ng_character_fraction", FRACTION, "those / characters", SWALLOW_PAPER),
    Measure("has_dating_expression", FLAG, "whether an expression of dating services occurs", SWALLOW_PAPER),
    Measure("n_chars", COUNT, "characters (code points) of the text as stored", OWN),
    Measure("n_bytes", COUNT, "bytes in UTF-8 of the text as stored", OWN),
    Measure("num_sentences", COUNT, "sentences, by Swallow's expression", OWN),
    Measure("num_lines", COUNT, "lines with anything but white space on them", OWN),
    Measure("mean_line_length", FRACTION, "mean characters of those, stripped", OWN),
    Measure("short_line_fraction", FRACTION, "those shorter than 20 characters / those", OWN),
    Measure("bullet_line_fraction", FRACTION, "those that begin with a bullet / those", GOPHER),
    Measure("lines_ending_with_punctuation_fraction", FRACTION, "those that end in punctuation / those", C4),
    Measure("whitespace_fraction", FRACTION, "white space / characters", OWN),
    Measure("symbol_fraction", FRACTION, "symbols, punctuation but 。．！？、，, and ① / characters", OWN),
    Measure("digit_fraction", FRACTION, "digits, ASCII and full-width / characters", OWN),
    Measure("latin_fraction", FRACTION, "Latin letters, full-width ones included / characters", OWN),
    Measure("num_urls", COUNT, "occurrences of http:// and https://", OWN),
    Measure("unique_character_fraction", FRACTION, "different characters / characters", OWN),
    Measure("compression_ratio", FRACTION, "bytes after zstd at level 1 / bytes", OWN),
)


FEATURE_SCHEMA = pa.schema([pa.field(measure.name, measure.type, nullable=False) for measure in MEASURES])
