"""Tokenizers: text to ids and back, for models that are given and for models trained on the corpus.

A tokenizer is made of a few small files, a mapping from name to content, and nothing else: `digest` is their hash, `save`
writes them, `load_tokenizer` reads them. Two kinds of files are known: a SentencePiece model, and byte pairs with ranks
as tiktoken serves them. Training is in `tokenizer_training`.

Encoding knows no special tokens: `<|endoftext|>` in a page is thirteen characters, never the delimiter. The tokenizers
that are trained here are lossless, `decode(encode(text)) == text`; a given model keeps the normalisation that it was
trained with.
"""

import base64
import binascii
import hashlib
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Literal, Protocol

import numpy as np
import sentencepiece
import tiktoken
from pydantic import Field, model_validator

from pipeline.config import Config
from pipeline.files import sync, temporary_name
from pipeline.tokens.store import token_dtype

SENTENCEPIECE_FILE = "sentencepiece.model"
RANKS_FILE = "ranks.tiktoken"  # one line a token: its bytes in base64, a space, its id
PATTERN_FILE = "pattern.json"  # how text is cut before pairs are merged, and the ids of the special tokens
DELIMITER = "<|endoftext|>"

# Longer texts are encoded block by block. Below it, SentencePiece needs some 30 MB of working memory (65 bytes a
# character), and the expressions of given tiktoken models stay clear of their engine's limit of 1,000,000 steps back.
BLOCK_CHARACTERS = 500_000

# SentencePiece writes this character where a text has a space, and reads it back as one.
SPACE_MARK = "\u2581"


class TokenizerError(Exception):
    """A tokenizer that cannot be made or loaded, or a text that it cannot take; the message says what to do."""


class TokenizerConfig(Config):
    """Which tokenizer the corpus gets."""

    kind: Literal["sentencepiece", "tiktoken", "bpe"] = Field(
        "sentencepiece",
        description="sentencepiece: unigram pieces with byte fallback; bpe: byte pairs; tiktoken: a model that tiktoken knows",
    )
    model: str | None = Field(
        None,
        description="a SentencePiece .model file, a name such as gpt2 for tiktoken, or the folder tokens/tokenizer of an "
        "earlier corpus; nothing: train on this corpus",
    )
    # The llm-jp tokenizer v2.2 adds about 30,000 pieces for Japanese; this is the next power of two, which suits the tiles of
    # matrix products. At least: 256 bytes, the delimiter, the unknown symbol and the space.
    vocabulary: int = Field(32_768, ge=259, description="ids to train, bytes and delimiter included; a small sample gives fewer")
    # Twice as many gave 0.4 % fewer tokens on held-out Japanese pages for more than twice the time.
    sample_characters: int = Field(5_000_000, ge=1, description="about so many characters of the corpus are trained on")

    @model_validator(mode="after")
    def _tiktoken_needs_a_name(self) -> "TokenizerConfig":
        if self.kind == "tiktoken" and self.model is None:
            raise ValueError("kind tiktoken trains nothing: give model, such as gpt2, or choose kind bpe")
        return self


class Tokenizer(Protocol):
    """What the stages ask of a tokenizer. Ids are stored as uint16 up to 65,536 of them, else as uint32."""

    @property
    def files(self) -> Mapping[str, bytes]:
        """All that the tokenizer is made of."""

    @property
    def vocabulary_size(self) -> int:
        """The number of ids, special ones included."""

    @property
    def delimiter(self) -> str:
        """The name of the token that begins each document."""

    @property
    def delimiter_id(self) -> int:
        """Its id, which no text encodes to."""

    @property
    def digest(self) -> str:
        """The hex SHA-256 of the files' names and contents."""

    def encode_batch(self, texts: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
        """All ids of `texts` in one flat array, without delimiters, and int64 offsets (N + 1,): text i is the ids in
        [offsets[i], offsets[i + 1]). A text over `BLOCK_CHARACTERS` is encoded block by block, each cut behind its last
        line end. Raises TokenizerError for a text with lone surrogates, which UTF-8 cannot write."""

    def count_batch(self, texts: Sequence[str]) -> np.ndarray:
        """How many ids each of `texts` encodes to, int64 (N,)."""

    def decode(self, ids: Sequence[int] | np.ndarray) -> str:
        """The text of `ids`; special tokens have none, bytes that are no UTF-8 become U+FFFD. Raises TokenizerError for
        an id outside the vocabulary."""

    def save(self, folder: Path) -> None:
        """Write the files into `folder`, each whole or not at all; `load_tokenizer` makes the same tokenizer of them."""


class SentencePieceTokenizer:
    """A SentencePiece model. The delimiter is the model's end-of-sentence symbol.

    The library writes a space as U+2581, so that U+2581 in a text comes back as a space. Where the model changes nothing
    else, that last loss is mended: text is cut at U+2581 and the character spelled by its three byte pieces.
    """

    def __init__(self, files: Mapping[str, bytes]) -> None:
        self.files = files
        self.digest = _digest(files)
        self._model = sentencepiece.SentencePieceProcessor()
        try:
            self._model.LoadFromSerializedProto(files[SENTENCEPIECE_FILE])
        except (RuntimeError, OSError) as error:
            raise TokenizerError(f"not a SentencePiece model ({error}); give the .model file as it was trained") from error
        self.vocabulary_size: int = self._model.vocab_size()
        self.delimiter_id: int = self._model.eos_id()
        if self.delimiter_id < 0 or not self._model.is_control(self.delimiter_id):
            raise TokenizerError("the SentencePiece model has no end-of-sentence symbol to delimit documents; give one that has")
        self.delimiter: str = self._model.id_to_piece(self.delimiter_id)
        self._dtype = token_dtype(self.vocabulary_size)
        self._mark = self._bytes_of_the_mark()

    def _bytes_of_the_mark(self) -> np.ndarray | None:
        """The byte pieces that spell U+2581, or None for a model that adds spaces or changes characters anyway."""
        probe = "  ① ﾊ\u3099 "
        if self._model.normalize(probe) != probe.replace(" ", SPACE_MARK):
            return None
        ids = [self._model.piece_to_id(f"<0x{byte:02X}>") for byte in SPACE_MARK.encode()]
        return np.array(ids, dtype=np.int32) if all(map(self._model.is_byte, ids)) else None

    def encode_batch(self, texts: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
        pieces, ends = _cut(texts, _at_mark if self._mark is not None else _blocks)
        try:
            # One thread: a worker process has one core.
            encoded = self._model.encode([piece.encode("utf-8") for piece in pieces], return_type="numpy", num_threads=1)
        except UnicodeEncodeError as error:
            raise surrogate_error(error) from error
        if self._mark is not None:
            encoded = [self._mark if piece == SPACE_MARK else ids for piece, ids in zip(pieces, encoded, strict=True)]
        return _flat(encoded, ends, self._dtype)

    def count_batch(self, texts: Sequence[str]) -> np.ndarray:
        return np.diff(self.encode_batch(texts)[1])

    def decode(self, ids: Sequence[int] | np.ndarray) -> str:
        text: str = self._model.decode(_checked(ids, self.vocabulary_size).tolist())
        return text

    def save(self, folder: Path) -> None:
        _save(self.files, folder)


class BytePairTokenizer:
    """Byte pairs with ranks, served by tiktoken. The delimiter is its `<|endoftext|>`."""

    def __init__(self, files: Mapping[str, bytes]) -> None:
        self.files = files
        self.digest = _digest(files)
        try:
            lines = [line.split() for line in files[RANKS_FILE].splitlines()]
            ranks = {base64.b64decode(token): int(rank) for token, rank in lines}
            cutting = json.loads(files[PATTERN_FILE])
            special = cutting["special_tokens"]
            pattern = cutting["pattern"]
            self._model = tiktoken.Encoding(self.digest, pat_str=pattern, mergeable_ranks=ranks, special_tokens=special)
            self.delimiter_id: int = special[DELIMITER]
        except (KeyError, TypeError, ValueError, binascii.Error) as error:
            raise TokenizerError(f"{RANKS_FILE} and {PATTERN_FILE} hold no tokenizer ({error!r}); write them again") from error
        self.delimiter = DELIMITER
        self.vocabulary_size: int = self._model.n_vocab
        self._dtype = token_dtype(self.vocabulary_size)
        self._special_ids = np.array(list(special.values()))

    def encode_batch(self, texts: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
        pieces, ends = _cut(texts, _blocks)
        try:
            # No special token is allowed and none forbidden: their names in a text are text.
            encoded = [self._model.encode_to_numpy(piece, allowed_special=set(), disallowed_special=()) for piece in pieces]
        except UnicodeEncodeError as error:
            raise surrogate_error(error) from error
        return _flat(encoded, ends, self._dtype)

    def count_batch(self, texts: Sequence[str]) -> np.ndarray:
        return np.diff(self.encode_batch(texts)[1])

    def decode(self, ids: Sequence[int] | np.ndarray) -> str:
        checked = _checked(ids, self.vocabulary_size)
        try:
            return self._model.decode(checked[~np.isin(checked, self._special_ids)].tolist())
        except KeyError as error:
            raise TokenizerError(f"no token has the id {error}; decode with the tokenizer that encoded") from error

    def save(self, folder: Path) -> None:
        _save(self.files, folder)


def tokenizer_of(files: Mapping[str, bytes]) -> Tokenizer:
    """The tokenizer that `files` make; raises TokenizerError when they make none."""
    if SENTENCEPIECE_FILE in files:
        return SentencePieceTokenizer({SENTENCEPIECE_FILE: files[SENTENCEPIECE_FILE]})
    if RANKS_FILE in files and PATTERN_FILE in files:
        return BytePairTokenizer({name: files[name] for name in (RANKS_FILE, PATTERN_FILE)})
    raise TokenizerError(f"neither {SENTENCEPIECE_FILE} nor {RANKS_FILE} with {PATTERN_FILE} is there; give a saved tokenizer")


def load_tokenizer(folder: Path) -> Tokenizer:
    """The tokenizer that `save` wrote into `folder`; raises TokenizerError when there is none or it is damaged."""
    names = (SENTENCEPIECE_FILE, RANKS_FILE, PATTERN_FILE)
    try:
        return tokenizer_of({name: (folder / name).read_bytes() for name in names if (folder / name).exists()})
    except (OSError, TokenizerError) as error:
        raise TokenizerError(f"{folder}: {error}") from error


def open_tokenizer(config: TokenizerConfig) -> Tokenizer:
    """The given model of `config`; raises TokenizerError, naming `tokenizer.model`, when it cannot be had."""
    if config.model is None:
        raise TokenizerError("tokenizer.model is not set; there is nothing to open")
    try:
        if config.kind == "tiktoken":
            return _known_to_tiktoken(config.model)
        path = Path(config.model)
        if path.is_dir():
            tokenizer = load_tokenizer(path)
        elif config.kind == "sentencepiece":
            tokenizer = tokenizer_of({SENTENCEPIECE_FILE: path.read_bytes()})
        else:
            raise TokenizerError("kind bpe takes a folder that holds a saved tokenizer, or no model, to train one")
    except (OSError, TokenizerError) as error:
        raise TokenizerError(f"tokenizer.model: {config.model!r}: {error}") from error
    if isinstance(tokenizer, SentencePieceTokenizer) != (config.kind == "sentencepiece"):
        raise TokenizerError(f"tokenizer.model: {config.model!r} is not of tokenizer.kind {config.kind!r}; change one of them")
    return tokenizer


def model_digest(config: TokenizerConfig) -> str:
    """What the given model of `config` holds now, as the digest of its tokenizer; empty when one is to be trained."""
    return "" if config.model is None else open_tokenizer(config).digest


def surrogate_error(error: UnicodeEncodeError) -> TokenizerError:
    """What to say of a text that UTF-8 cannot write."""
    return TokenizerError(f"a text holds a lone surrogate ({error}); replace it by U+FFFD before it is tokenized")


def byte_pair_files(ranks: Mapping[bytes, int], pattern: str, special_tokens: Mapping[str, int]) -> dict[str, bytes]:
    """The files of a `BytePairTokenizer`: each token's bytes and id, the expression that cuts text, the special tokens."""
    in_order = sorted(ranks.items(), key=lambda item: item[1])
    lines = b"".join(base64.b64encode(token) + f" {rank}\n".encode() for token, rank in in_order)
    cutting = {"pattern": pattern, "special_tokens": dict(special_tokens)}
    return {RANKS_FILE: lines, PATTERN_FILE: (json.dumps(cutting, indent=1, sort_keys=True) + "\n").encode()}


def _known_to_tiktoken(name: str) -> Tokenizer:
    """A model of tiktoken's own list; its files come from the folder TIKTOKEN_CACHE_DIR or else from the network."""
    names = tiktoken.list_encoding_names()
    if name not in names:
        raise TokenizerError(f"tiktoken does not know it; it knows {', '.join(names)}")
    try:
        known = tiktoken.get_encoding(name)
    except (OSError, ValueError) as error:  # requests' errors are OSErrors; a file with a wrong hash is a ValueError
        raise TokenizerError(
            f"its files are neither in the folder TIKTOKEN_CACHE_DIR nor to be had from the network ({error}); "
            "set TIKTOKEN_CACHE_DIR to a folder in which tiktoken has once put them"
        ) from error
    # The three attributes that tiktoken's README names for building one encoding from another.
    return BytePairTokenizer(byte_pair_files(known._mergeable_ranks, known._pat_str, known._special_tokens))


def _blocks(text: str) -> Iterator[str]:
    """`text` in blocks of at most BLOCK_CHARACTERS, cut behind the last line end of each block, if it has one."""
    start = 0
    while len(text) - start > BLOCK_CHARACTERS:
        limit = start + BLOCK_CHARACTERS
        end = text.rfind("\n", start, limit) + 1 or limit
        yield text[start:end]
        start = end
    yield text[start:]


def _at_mark(text: str) -> Iterator[str]:
    """The blocks of `text`, cut once more around each U+2581, which stands alone."""
    for block in _blocks(text):
        if SPACE_MARK in block:
            yield from re.split(f"({SPACE_MARK})", block)
        else:
            yield block


def _cut(texts: Sequence[str], cut: Callable[[str], Iterator[str]]) -> tuple[list[str], np.ndarray]:
    """All pieces that `cut` makes of `texts`, and offsets (N + 1,) into them, one piece at least for each text."""
    pieces: list[str] = []
    ends = [0]
    for text in texts:
        pieces.extend(cut(text))
        ends.append(len(pieces))
    return pieces, np.array(ends)


def _flat(encoded: Sequence[np.ndarray], ends_of_texts: np.ndarray, dtype: np.dtype) -> tuple[np.ndarray, np.ndarray]:
    """The ids of all pieces in one array of `dtype`, and the int64 offsets of the texts in it."""
    ends_of_pieces = np.cumsum([0, *map(len, encoded)], dtype=np.int64)
    # "unsafe" is numpy's word for int32 to uint16; every id is below the vocabulary, by which the dtype was chosen.
    flat = np.concatenate([np.empty(0, dtype), *encoded], dtype=dtype, casting="unsafe")
    return flat, ends_of_pieces[ends_of_texts]


def _checked(ids: Sequence[int] | np.ndarray, vocabulary_size: int) -> np.ndarray:
    array = np.asarray(ids, dtype=np.int64)
    if array.size and not 0 <= int(array.min()) <= int(array.max()) < vocabulary_size:
        raise TokenizerError(f"an id of {array.min()} to {array.max()} is outside the vocabulary of {vocabulary_size}")
    return array


def _digest(files: Mapping[str, bytes]) -> str:
    digests = {name: hashlib.sha256(content).hexdigest() for name, content in files.items()}
    return hashlib.sha256(json.dumps(digests, sort_keys=True).encode()).hexdigest()


def _save(files: Mapping[str, bytes], folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        temporary = temporary_name(folder / name)
        temporary.write_bytes(content)
        sync(temporary)
        temporary.replace(folder / name)
    sync(folder)
