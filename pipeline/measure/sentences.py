r"""How a text is divided: lines, sentences, and how many of them repeat an earlier one.

Lines and sentences are those of Swallow's published `quality.py`, with its quirks. Lines end at `\n` only. A sentence is a
run of characters other than `。．！？!?` and the one such character after it, within a line; an end mark with nothing before it
(the second of `！？`, or one that opens a line) belongs to no sentence. A *paragraph* is a line without those stray marks. Empty
lines are paragraphs too, and all but the first are duplicates.
"""

from typing import NamedTuple

import numpy as np

from pipeline.compiled import njit
from pipeline.text.character_classes import Sign, sign_table

# Lines shorter than this are short: Swallow drops pages whose sentences have fewer than 20 characters on average.
SHORT_LINE = 20

_LINE_END = ord("\n")
# The constants of FNV-1a, applied to code points instead of bytes: the hashes need only be spread out, and are not stored.
_HASH_BASIS, _HASH_PRIME = np.uint64(0xCBF29CE484222325), np.uint64(0x100000001B3)


class Divisions(NamedTuple):
    """Counts of the lines and sentences of N texts: int64 arrays of shape (N,)."""

    paragraphs: np.ndarray  # one more than there are line ends
    duplicate_paragraphs: np.ndarray  # equal to an earlier one
    duplicate_paragraph_letters: np.ndarray  # characters in those
    sentences: np.ndarray
    duplicate_sentences: np.ndarray  # equal to an earlier one
    duplicate_sentence_letters: np.ndarray  # characters in those
    sentence_letters: np.ndarray  # characters in all sentences, which are those of all paragraphs
    longest_sentence: np.ndarray  # in characters
    cut_sentences: np.ndarray  # sentences that end in an ellipsis, ignoring white space
    lines: np.ndarray  # that are not blank; here and below, lines are stripped of white space
    line_letters: np.ndarray  # characters in those
    short_lines: np.ndarray  # shorter than SHORT_LINE
    bullet_lines: np.ndarray  # that begin with a bullet
    punctuated_lines: np.ndarray  # that end in punctuation


_COLUMNS, _FIRST_OF_LINES = len(Divisions._fields), Divisions._fields.index("lines")


def divide(codes: np.ndarray, bounds: np.ndarray) -> Divisions:
    """Count the lines and sentences of each text.

    `codes` (uint32) holds the code points of all texts; text `t` is `codes[bounds[t]:bounds[t + 1]]` (int64).
    """
    return Divisions(*_divide(codes, bounds, sign_table()).T)


@njit(nogil=True)
def _count_duplicates(
    letters: np.ndarray, ends: np.ndarray, hashes: np.ndarray, count: int, slots: np.ndarray
) -> tuple[int, int]:
    """How many of `count` adjacent spans equal an earlier one, and how many letters those have.

    Span `s` is `letters[ends[s - 1]:ends[s]]`. Hashes only find candidates; letters are compared, so no collision can change
    a number. `slots` is scratch space for a hash table of at least `2 * count` slots.
    """
    size = 2
    while size < 2 * count:
        size *= 2
    slots[:size] = -1
    duplicates, duplicate_letters = 0, 0
    for span in range(count):
        start = ends[span - 1] if span else 0
        length = ends[span] - start
        slot = np.int64(hashes[span] >> np.uint64(32)) & (size - 1)
        while slots[slot] >= 0:
            other = slots[slot]
            if hashes[other] == hashes[span]:
                other_start = ends[other - 1] if other else 0
                if ends[other] - other_start == length:
                    same = 0
                    while same < length and letters[other_start + same] == letters[start + same]:
                        same += 1
                    if same == length:
                        duplicates += 1
                        duplicate_letters += length
                        break
            slot = (slot + 1) & (size - 1)
        else:
            slots[slot] = span
    return duplicates, duplicate_letters


@njit(nogil=True)
def _divide(codes: np.ndarray, bounds: np.ndarray, signs: np.ndarray) -> np.ndarray:
    """`divide`, as columns: int64 of shape (texts, fields of Divisions); `signs` is `character_classes.sign_table()`."""
    texts = len(bounds) - 1
    longest = 0
    for text in range(texts):
        longest = max(longest, bounds[text + 1] - bounds[text])
    letters = np.empty(longest, dtype=np.uint32)
    sentence_ends, line_ends = np.empty(longest, dtype=np.int64), np.empty(longest + 1, dtype=np.int64)
    sentence_hashes, line_hashes = np.empty(longest, dtype=np.uint64), np.empty(longest + 1, dtype=np.uint64)
    slots = np.empty(4 * longest + 4, dtype=np.int64)

    counts = np.zeros((texts, _COLUMNS), dtype=np.int64)
    for text in range(texts):
        paragraphs, sentences, sentence_letters, longest_sentence, cut_sentences = _divide_text(
            codes[bounds[text] : bounds[text + 1]],
            signs,
            letters,
            (sentence_ends, sentence_hashes),
            (line_ends, line_hashes),
            counts[text, _FIRST_OF_LINES:],
        )
        columns = (
            paragraphs,
            *_count_duplicates(letters, line_ends, line_hashes, paragraphs, slots),
            sentences,
            *_count_duplicates(letters, sentence_ends, sentence_hashes, sentences, slots),
            sentence_letters,
            longest_sentence,
            cut_sentences,
        )
        for column, value in enumerate(columns):
            counts[text, column] = value
    return counts


@njit(nogil=True)
def _divide_text(
    codes: np.ndarray,
    signs: np.ndarray,
    letters: np.ndarray,
    sentence_spans: tuple[np.ndarray, np.ndarray],
    line_spans: tuple[np.ndarray, np.ndarray],
    line_counts: np.ndarray,
) -> tuple[int, int, int, int, int]:
    """Divide one text into sentences and paragraphs, and count the shapes of its lines.

    Writes the letters of all sentences one after another to `letters`, and for each sentence and each paragraph where it ends
    in `letters` and its hash to the spans. `line_counts` gets what `_count_line` adds. Returns the counts that need no
    comparison: paragraphs, sentences, sentence_letters, longest_sentence, cut_sentences. In short:

        for each line:
            for each character:
                append it to the open sentence, unless it is an end mark and the open sentence is empty
                if it is an end mark:   close the sentence, unless it is empty
            close the sentence, unless it is empty
            close the paragraph: the sentences of this line
    """
    sentence_ends, sentence_hashes = sentence_spans
    line_ends, line_hashes = line_spans
    written, sentences, paragraphs, longest_sentence, cut_sentences = 0, 0, 0, 0, 0
    line_start, sentence_start, sentence_hash, line_hash = 0, 0, _HASH_BASIS, _HASH_BASIS
    last_known = np.uint32(len(signs) - 1)
    index = 0
    while index <= len(codes):
        # Nearly every character has no sign, so it is appended and ends nothing.
        while index < len(codes):
            code = codes[index]
            if signs[min(code, last_known)] != 0:
                break
            letters[written] = code
            written += 1
            sentence_hash = (sentence_hash ^ code) * _HASH_PRIME
            index += 1
        code = codes[index] if index < len(codes) else np.uint32(_LINE_END)
        ends_line, ends_sentence = code == _LINE_END, signs[min(code, last_known)] & Sign.ENDS_SENTENCE != 0
        if not ends_line and (written > sentence_start or not ends_sentence):
            letters[written] = code
            written += 1
            sentence_hash = (sentence_hash ^ code) * _HASH_PRIME
        if written > sentence_start and (ends_line or ends_sentence):
            sentence_ends[sentences], sentence_hashes[sentences] = written, sentence_hash
            line_hash = (line_hash ^ sentence_hash) * _HASH_PRIME
            sentences += 1
            longest_sentence = max(longest_sentence, written - sentence_start)
            cut_sentences += _ends_in_ellipsis(letters[sentence_start:written], signs)
            sentence_start, sentence_hash = written, _HASH_BASIS
        if ends_line:
            line_ends[paragraphs], line_hashes[paragraphs] = written, line_hash
            paragraphs += 1
            _count_line(codes[line_start:index], signs, line_counts)
            line_start, line_hash = index + 1, _HASH_BASIS
        index += 1
    return paragraphs, sentences, written, longest_sentence, cut_sentences


@njit(nogil=True)
def _visible_end(codes: np.ndarray, signs: np.ndarray) -> int:
    """How many characters there are up to the last one that is no white space."""
    last_known = np.uint32(len(signs) - 1)
    end = len(codes)
    while end > 0 and signs[min(codes[end - 1], last_known)] & Sign.SPACE:
        end -= 1
    return end


@njit(nogil=True)
def _ends_in_ellipsis(sentence: np.ndarray, signs: np.ndarray) -> bool:
    """Whether the last character of a sentence is an ellipsis, white space aside."""
    end = _visible_end(sentence, signs)
    return end > 0 and signs[min(sentence[end - 1], np.uint32(len(signs) - 1))] & Sign.ELLIPSIS != 0


@njit(nogil=True)
def _count_line(line: np.ndarray, signs: np.ndarray, counts: np.ndarray) -> None:
    """Add a line, stripped of white space, to the counts from `lines` to `punctuated_lines`; nothing if it is blank."""
    last_known = np.uint32(len(signs) - 1)
    end = _visible_end(line, signs)
    if end == 0:
        return
    start = 0
    while signs[min(line[start], last_known)] & Sign.SPACE:
        start += 1
    counts[0] += 1
    counts[1] += end - start
    counts[2] += end - start < SHORT_LINE
    counts[3] += signs[min(line[start], last_known)] & Sign.BULLET != 0
    counts[4] += signs[min(line[end - 1], last_known)] & Sign.ENDS_LINE != 0
