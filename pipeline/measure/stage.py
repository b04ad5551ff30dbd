"""Measure each text once: every number that a quality rule may judge.

Names and meanings are those of Swallow's published `quality.py` and `ngword.py`, quirks included, so that the numbers can be
compared one by one; an empty text, on which that code fails, measures 0. What Gopher (Rae et al. 2021) counts differently has a
name that begins with `gopher_`. `table.py` says what each number means. Nothing here keeps or drops a text; `pipeline/quality`
does.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import zstandard

from pipeline.measure.expression_lists import ExpressionLists
from pipeline.measure.table import MEASURES

if TYPE_CHECKING:
    from pipeline.measure.ngrams import Ngrams
    from pipeline.measure.sentences import Divisions

# zstd at level 1 takes a third of the time of zlib at level 1, and its ratios correlate with those of zlib at its best level
# (0.996 on 60 Japanese pages).
COMPRESSION_LEVEL = 1


def measure_stored(texts: Sequence[str], came_as_text: Sequence[bool], expressions: ExpressionLists) -> dict[str, np.ndarray]:
    """As `measure`, for texts as they are stored: their sizes, and the other numbers of their normal forms.

    came_as_text: whether each text came as text, and is not what an extractor made of a page.
    """
    from pipeline.text.normal_form import normal_forms

    measured = measure(normal_forms(texts, came_as_text), expressions)
    sizes = {"n_chars": [len(text) for text in texts], "n_bytes": [len(text.encode("utf-8")) for text in texts]}
    return measured | {name: np.array(values, dtype=measured[name].dtype) for name, values in sizes.items()}


def measure(texts: Sequence[str], expressions: ExpressionLists) -> dict[str, np.ndarray]:
    """All `MEASURES` of N texts, by name and in the order of the table: arrays of shape (N,) of the table's types.

    Time is linear in the texts, and each number depends on its own text alone. Raises UnicodeEncodeError for a text with a
    lone surrogate, which no UTF-8 column can hold.
    """
    # numba takes half a second to import, and reading a manifest needs only the table.
    from pipeline.measure.ngrams import count_ngrams
    from pipeline.measure.sentences import divide
    from pipeline.text.character_classes import count_letters

    codes = np.frombuffer("".join(texts).encode("utf-32-le"), dtype=np.uint32)
    letters = np.array([len(text) for text in texts], dtype=np.int64)
    bounds = np.concatenate([np.zeros(1, dtype=np.int64), np.cumsum(letters)])
    values = {
        "num_letters": letters,
        "n_chars": letters,
        **_of_letters(count_letters(codes, bounds), letters),
        **_of_divisions(divide(codes, bounds)),
        **_of_ngrams(count_ngrams(codes, bounds), letters),
        **_of_bytes([text.encode("utf-8") for text in texts], expressions),
    }
    values["ng_fraction"] = _share(values["num_ng_letters"], values["num_japanese_letters"])
    values["ng_character_fraction"] = _share(values["num_ng_letters_not_allowed"], letters)
    return {measure.name: values[measure.name].astype(measure.type.to_pandas_dtype()) for measure in MEASURES}


def _share(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    """`part / whole`, float64; 0 where the whole is 0."""
    share: npt.NDArray[np.float64] = np.divide(part, whole, out=np.zeros(len(part)), where=whole > 0)
    return share


def _of_letters(counts: np.ndarray, letters: np.ndarray) -> dict[str, np.ndarray]:
    """The numbers that follow from `character_classes.count_letters`; `letters` are the lengths of the texts."""
    from pipeline.text.character_classes import Letter

    hiragana, katakana, kanji = counts[:, Letter.HIRAGANA], counts[:, Letter.KATAKANA], counts[:, Letter.KANJI]
    kuten, toten = counts[:, Letter.KUTEN], counts[:, Letter.TOTEN]
    japanese = hiragana + katakana + kanji + kuten + toten
    return {
        "num_hiragana_letters": hiragana,
        "num_katakana_letters": katakana,
        "num_kanji_letters": kanji,
        "num_kuten": kuten,
        "num_toten": toten,
        "num_japanese_letters": japanese,
        "hiragana_fraction": _share(hiragana, japanese),
        "katakana_fraction": _share(katakana, japanese),
        "kanji_fraction": _share(kanji, japanese),
        "kuten_fraction": _share(kuten, japanese),
        "toten_fraction": _share(toten, japanese),
        "japanese_fraction": _share(japanese, letters),
        "whitespace_fraction": _share(counts[:, Letter.SPACE], letters),
        "symbol_fraction": _share(counts[:, Letter.SYMBOL], letters),
        "digit_fraction": _share(counts[:, Letter.DIGIT], letters),
        "latin_fraction": _share(counts[:, Letter.LATIN], letters),
    }


def _of_divisions(divisions: "Divisions") -> dict[str, np.ndarray]:
    """The numbers that follow from `sentences.divide`."""
    return {
        "avg_sentence_length": _share(divisions.sentence_letters, divisions.sentences),
        "max_sentence_length": divisions.longest_sentence,
        "num_sentences": divisions.sentences,
        "num_sentences_ending_with_ellipsis": divisions.cut_sentences,
        "ellipsis_fraction": _share(divisions.cut_sentences, divisions.sentences),
        "duplicate_paragraph_fraction": _share(divisions.duplicate_paragraphs, divisions.paragraphs),
        "duplicate_paragraph_fraction_in_character": _share(divisions.duplicate_paragraph_letters, divisions.sentence_letters),
        "duplicate_sentence_fraction": _share(divisions.duplicate_sentences, divisions.sentences),
        "duplicate_sentence_fraction_in_character": _share(divisions.duplicate_sentence_letters, divisions.sentence_letters),
        "num_lines": divisions.lines,
        "mean_line_length": _share(divisions.line_letters, divisions.lines),
        "short_line_fraction": _share(divisions.short_lines, divisions.lines),
        "bullet_line_fraction": _share(divisions.bullet_lines, divisions.lines),
        "lines_ending_with_punctuation_fraction": _share(divisions.punctuated_lines, divisions.lines),
    }


def _of_ngrams(ngrams: "Ngrams", letters: np.ndarray) -> dict[str, np.ndarray]:
    """The numbers that follow from `ngrams.count_ngrams`; `letters` are the lengths of the texts."""
    from pipeline.measure.ngrams import DUPLICATE_SIZES, TOP_SIZES

    values = {"unique_character_fraction": _share(ngrams.letters, letters)}
    for n, top in zip(TOP_SIZES, ngrams.top.T, strict=True):
        values[f"top_{n}gram_character_fraction"] = _share(top, letters - n + 1)
        # Overlapping occurrences (ーーーー) would count their characters more than once.
        values[f"gopher_top_{n}gram_character_fraction"] = np.minimum(_share(n * top, letters), 1.0)
    for index, n in enumerate(DUPLICATE_SIZES):
        values[f"duplicate_{n}gram_character_fraction"] = _share(ngrams.repeated_types[:, index], ngrams.types[:, index])
        values[f"gopher_duplicate_{n}gram_character_fraction"] = _share(ngrams.repeated_letters[:, index], letters)
    return values


def _of_bytes(contents: Sequence[bytes], expressions: ExpressionLists) -> dict[str, np.ndarray]:
    """The numbers that follow from the UTF-8 of the texts: expressions, URLs, compression."""
    compressor = zstandard.ZstdCompressor(level=COMPRESSION_LEVEL)
    found = [expressions.find(content) for content in contents]
    n_bytes = np.array([len(content) for content in contents], dtype=np.int64)
    compressed = np.array([len(compressor.compress(content)) for content in contents], dtype=np.int64)
    urls = [content.count(b"http://") + content.count(b"https://") for content in contents]
    return {
        "num_ng_letters": np.array([each.ng_letters for each in found], dtype=np.int64),
        "num_ng_letters_not_allowed": np.array([each.ng_letters_not_allowed for each in found], dtype=np.int64),
        "has_dating_expression": np.array([each.dating for each in found], dtype=bool),
        "n_bytes": n_bytes,
        "num_urls": np.array(urls, dtype=np.int64),
        "compression_ratio": _share(compressed, n_bytes),
    }
