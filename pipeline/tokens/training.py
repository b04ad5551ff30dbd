"""Training a tokenizer on texts: unigram pieces by SentencePiece, or byte pairs by rustbpe.

The same texts in the same order make the same bytes on any machine: what the libraries would take from the number of
cores is fixed here. A sample too small for the vocabulary that was asked for makes a smaller one, down to bytes alone.
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

# SentencePiece adds up its expectations thread by thread, and the order of sums of floats changes the model: the number is
# part of the result, not of the machine. 8 keeps a small server busy and costs a machine of two cores nothing.
_THREADS = 8

# Candidates that unigram training starts from, as a multiple of the vocabulary. The library's million costs twice the
# time and ended worse: 2.278 against 2.305 characters a token at 32,768 ids, 5 million characters of Japanese pages.
_CANDIDATES_PER_PIECE = 3
_LEAST_CANDIDATES = 10_000  # small vocabularies train in seconds anyway

# The share of characters that get a piece of their own; the rest are spelled in bytes. The value that SentencePiece's
# documentation recommends for languages with rich character sets, Japanese by name.
_CHARACTER_COVERAGE = 0.9995

# Longer lines are cut: the lattice of one training sentence needs memory by its length, and the default of the library
# is to drop lines of more than 4,192 bytes.
_LINE_CHARACTERS = 4_000

# Never inside a piece: the line end, which is a byte, and what SentencePiece keeps for itself (U+2581 for a space, U+2585
# for an unknown character, NUL for the end of a string).
_LINE_BREAK = re.compile(f"[\n\0{SPACE_MARK}\u2585]")

# How text is cut before byte pairs are merged. A true regular expression, without look-ahead, so that the time is linear
# in the text and no run of spaces exhausts the engine. After GPT-4's expression (tiktoken, cl100k_base) in spirit: a word
# takes the space or mark before it along, marks take the line ends behind them. Digits stand alone, so that numbers of
# all lengths are spelled alike; combining marks belong to their letter.
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
    """A tokenizer of `config.kind`, trained on `texts` up to `config.sample_characters`; later texts are not read.

    It has `config.vocabulary` ids, or fewer where the sample supports no more: its `vocabulary_size` says how many.
    Raises TokenizerError when the vocabulary is too small for the characters of the sample.
    """
    sample = _up_to(texts, config.sample_characters)
    if config.kind == "sentencepiece":
        return tokenizer_of({SENTENCEPIECE_FILE: _train_unigram(sample, config.vocabulary)})
    if config.kind == "bpe":
        return tokenizer_of(_train_byte_pairs(sample, config.vocabulary))
    raise TokenizerError(f"tokenizer.kind {config.kind!r} cannot be trained; choose sentencepiece or bpe, or set tokenizer.model")


def _train_unigram(texts: Iterable[str], vocabulary: int) -> bytes:
    lines = _lines(texts)
    # A sample without a line still makes a tokenizer, of bytes and the space.
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
            # The space needs its piece even where the sample has none: its bytes would decode to the mark itself.
            required_chars=SPACE_MARK,
            byte_fallback=True,
            split_digits=True,
            allow_whitespace_only_pieces=True,
            # Nothing is normalised, folded or added, so that ids decode to the very text.
            normalization_rule_name="identity",
            add_dummy_prefix=False,
            remove_extra_whitespaces=False,
            unk_id=0,
            eos_id=1,
            bos_id=-1,
            pad_id=-1,
            eos_piece=DELIMITER,
            # All lines, in their order, none dropped for its length (in bytes).
            max_sentence_length=4 * _LINE_CHARACTERS,
            input_sentence_size=0,
            shuffle_input_sentence=False,
            num_threads=_THREADS,
            minloglevel=2,  # errors, which are raised as well
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
    """The first `characters` of `texts`, the last text cut. Raises TokenizerError for a lone surrogate."""
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
    """The lines of `texts`, none empty, none longer than `_LINE_CHARACTERS`."""
    for text in texts:
        for line in _LINE_BREAK.split(text):
            for start in range(0, len(line), _LINE_CHARACTERS):
                yield line[start : start + _LINE_CHARACTERS]
