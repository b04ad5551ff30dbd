"""Trains a tokenizer on texts: unigram pieces with SentencePiece, or byte pairs with rustbpe.

The same texts in the same order give the same bytes on any machine: settings that the libraries would derive from the number of
cores are fixed here. If the sample is too small for the requested vocabulary, the vocabulary is smaller, down to bytes alone.
"""

import io
import itertools
import re
from collections.abc import Iterable, Iterator

import rustbpe
import sentencepiece

from pipeline.tokens.byte_pairs import byte_pair_files
from pipeline.tokens.config import TokenizerConfig
from pipeline.tokens.opening import tokenizer_of
from pipeline.tokens.tokenizer import DELIMITER, SENTENCEPIECE_FILE, SPACE_MARK, Tokenizer, TokenizerError, surrogate_error

# SentencePiece sums expectations per thread, and the order of floating-point sums changes the model. So the number of threads
# must not depend on the machine. 8 keeps a small server busy and costs a machine with two cores nothing.
_THREADS = 8

# Candidates at the start of unigram training, as a multiple of the vocabulary. The library's default of a million takes twice
# the time and is worse: 2.278 against 2.305 characters per token, with 32,768 ids and 5 million characters of Japanese pages.
_CANDIDATES_PER_PIECE = 3
_LEAST_CANDIDATES = 10_000  # small vocabularies train in seconds anyway

# The share of characters that get a piece of their own; the rest are encoded as bytes. SentencePiece's documentation recommends
# this value for languages with a rich character set, and names Japanese.
_CHARACTER_COVERAGE = 0.9995

# Longer lines are cut: the memory for the lattice of a training sentence grows with its length, and by default the library drops
# lines above 4,192 bytes.
_LINE_CHARACTERS = 4_000

# Characters that are never inside a piece: the line end, which is encoded as a byte, and those that SentencePiece reserves
# (U+2581 for a space, U+2585 for an unknown character, NUL for the end of a string).
_LINE_BREAK = re.compile(f"[\n\0{SPACE_MARK}\u2585]")

# How text is cut before byte pairs are merged. The expression has no look-ahead, so the time is linear in the text and no run of
# spaces exhausts the engine. It follows GPT-4's expression (tiktoken, cl100k_base): a word includes the space or mark before it,
# and marks include the line ends after them. Each digit is a piece, so that numbers of all lengths are encoded alike. Combining
# marks belong to their letter.
PATTERN = "|".join(
    (
        r"[^\r\n\p{L}\p{M}\p{N}]?[\p{L}\p{M}]+",
        r"\p{N}",
        r" ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*",
        r"[^\S\r\n]*[\r\n]+",
        r"\s+",
    )
)


def train_tokenizer(texts: Iterable[str], config: TokenizerConfig) -> Tokenizer:
    """Train a tokenizer of `config.kind` on the first `config.sample_characters` characters of `texts`; the rest is not read.

    It has `config.vocabulary` ids, or fewer if the sample supports no more (see its `vocabulary_size`). Raises TokenizerError if
    the vocabulary is too small for the characters of the sample, for a lone surrogate, and for a kind that cannot be trained.
    """
    sample = _up_to(texts, config.sample_characters)
    if config.kind == "sentencepiece":
        return tokenizer_of({SENTENCEPIECE_FILE: _train_unigram(sample, config.vocabulary)})
    if config.kind == "bpe":
        return tokenizer_of(_train_byte_pairs(sample, config.vocabulary))
    raise TokenizerError(f"tokenizer.kind {config.kind!r} cannot be trained; choose sentencepiece or bpe, or set tokenizer.model")


def _train_unigram(texts: Iterable[str], vocabulary: int) -> bytes:
    lines = _lines(texts)
    # A sample without a line still gives a tokenizer, with bytes and the space.
    first = next(lines, " ")
    model = io.BytesIO()
    try:
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=itertools.chain([first], lines),
            model_writer=model,
            model_type="unigram",
            vocab_size=vocabulary,
            hard_vocab_limit=False,
            seed_sentencepiece_size=max(_CANDIDATES_PER_PIECE * vocabulary, _LEAST_CANDIDATES),
            character_coverage=_CHARACTER_COVERAGE,
            # The space needs a piece even if the sample has no space: as bytes it would decode to the mark itself.
            required_chars=SPACE_MARK,
            byte_fallback=True,
            split_digits=True,
            allow_whitespace_only_pieces=True,
            # Nothing is normalised, folded or added, so that ids decode to exactly the text.
            normalization_rule_name="identity",
            add_dummy_prefix=False,
            remove_extra_whitespaces=False,
            unk_id=0,
            eos_id=1,
            bos_id=-1,
            pad_id=-1,
            eos_piece=DELIMITER,
            # Train on all lines in order; drop none for its length (in bytes; UTF-8 has at most 4 per character).
            max_sentence_length=4 * _LINE_CHARACTERS,
            input_sentence_size=0,
            shuffle_input_sentence=False,
            num_threads=_THREADS,
            minloglevel=2,  # only errors, which are raised too
        )
    except RuntimeError as error:
        raise TokenizerError(
            f"tokenizer.vocabulary: {vocabulary} ids do not suffice for the characters of the sample ({error}); raise it"
        ) from error
    return model.getvalue()


def _train_byte_pairs(texts: Iterable[str], vocabulary: int) -> dict[str, bytes]:
    trainer = rustbpe.Tokenizer()
    trainer.train_from_iterator(iter(texts), vocabulary - 1, pattern=PATTERN)  # one id is the delimiter's
    ranks = {bytes(token): rank for token, rank in trainer.get_mergeable_ranks()}
    return byte_pair_files(ranks, PATTERN, {DELIMITER: len(ranks)})


def _up_to(texts: Iterable[str], characters: int) -> Iterator[str]:
    """Yield texts up to `characters` characters in total; the last is cut. Raises TokenizerError for a lone surrogate."""
    left = characters
    for text in texts:
        try:
            text.encode("utf-8")
        except UnicodeEncodeError as error:
            raise surrogate_error(error) from error
        yield text[:left]
        left -= len(text)
        if left <= 0:
            return


def _lines(texts: Iterable[str]) -> Iterator[str]:
    """Yield the lines of `texts` without empty ones, cut to at most `_LINE_CHARACTERS`."""
    for text in texts:
        for line in _LINE_BREAK.split(text):
            for start in range(0, len(line), _LINE_CHARACTERS):
                yield line[start : start + _LINE_CHARACTERS]
