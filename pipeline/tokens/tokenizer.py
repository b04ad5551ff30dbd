"""Tokenizers: text to ids and back, for models that are given and for models trained on the corpus.

A tokenizer is made of a few small files, a mapping from name to content, and nothing else: `digest` is their hash, `save`
writes them, `load_tokenizer` reads them. Two kinds of files are known: a SentencePiece model, and byte pairs with ranks
as tiktoken serves them. Training is in `tokenizer_training`.

Encoding knows no special tokens: `<|endoftext|>` in a page is thirteen characters, never the delimiter. The tokenizers
that are trained here are lossless, `decode(encode(text)) == text`; a given model keeps the normalisation that it was
trained with.
"""

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from pipeline.errors import UserError
from pipeline.files import sync, temporary_name

SENTENCEPIECE_FILE = "sentencepiece.model"
RANKS_FILE = "ranks.tiktoken"  # one line a token: its bytes in base64, a space, its id
PATTERN_FILE = "pattern.json"  # how text is cut before pairs are merged, and the ids of the special tokens
DELIMITER = "<|endoftext|>"

# Longer texts are encoded block by block. Below it, SentencePiece needs some 30 MB of working memory (65 bytes a
# character), and the expressions of given tiktoken models stay clear of their engine's limit of 1,000,000 steps back.
BLOCK_CHARACTERS = 500_000

# SentencePiece writes this character where a text has a space, and reads it back as one.
SPACE_MARK = "\u2581"


class TokenizerError(UserError):
    """A tokenizer that cannot be made or loaded, or a text that it cannot take; the message says what to do."""


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

    def encode_batch(self, texts: Sequence[str]) -> tuple[npt.NDArray[np.unsignedinteger[Any]], npt.NDArray[np.int64]]:
        """All ids of `texts` in one flat array, without delimiters, and int64 offsets (N + 1,): text i is the ids in
        [offsets[i], offsets[i + 1]). A text over `BLOCK_CHARACTERS` is encoded block by block, each cut behind its last
        line end. Raises TokenizerError for a text with lone surrogates, which UTF-8 cannot write."""

    def count_batch(self, texts: Sequence[str]) -> npt.NDArray[np.int64]:
        """How many ids each of `texts` encodes to, int64 (N,)."""

    def decode(self, ids: Sequence[int] | npt.NDArray[np.integer[Any]]) -> str:
        """The text of `ids`; special tokens have none, bytes that are no UTF-8 become U+FFFD. Raises TokenizerError for
        an id outside the vocabulary."""

    def save(self, folder: Path) -> None:
        """Write the files into `folder`, each whole or not at all; `load_tokenizer` makes the same tokenizer of them."""


def surrogate_error(error: UnicodeEncodeError) -> TokenizerError:
    """What to say of a text that UTF-8 cannot write."""
    return TokenizerError(f"a text holds a lone surrogate ({error}); replace it by U+FFFD before it is tokenized")


def _blocks(text: str) -> Iterator[str]:
    """`text` in blocks of at most BLOCK_CHARACTERS, cut behind the last line end of each block, if it has one."""
    start = 0
    while len(text) - start > BLOCK_CHARACTERS:
        limit = start + BLOCK_CHARACTERS
        end = text.rfind("\n", start, limit) + 1 or limit
        yield text[start:end]
        start = end
    yield text[start:]


def _cut(texts: Sequence[str], cut: Callable[[str], Iterator[str]]) -> tuple[list[str], npt.NDArray[np.int64]]:
    """All pieces that `cut` makes of `texts`, and offsets (N + 1,) into them, one piece at least for each text."""
    pieces: list[str] = []
    ends = [0]
    for text in texts:
        pieces.extend(cut(text))
        ends.append(len(pieces))
    return pieces, np.array(ends)


def _flat(
    encoded: Sequence[npt.NDArray[np.integer[Any]]], ends_of_texts: npt.NDArray[np.int64], dtype: np.dtype
) -> tuple[npt.NDArray[np.unsignedinteger[Any]], npt.NDArray[np.int64]]:
    """The ids of all pieces in one array of `dtype`, and the int64 offsets of the texts in it."""
    ends_of_pieces = np.cumsum([0, *map(len, encoded)], dtype=np.int64)
    # "unsafe" is numpy's word for int32 to uint16; every id is below the vocabulary, by which the dtype was chosen.
    flat = np.concatenate([np.empty(0, dtype), *encoded], dtype=dtype, casting="unsafe")
    return flat, ends_of_pieces[ends_of_texts]


def _checked(ids: Sequence[int] | npt.NDArray[np.integer[Any]], vocabulary_size: int) -> npt.NDArray[np.int64]:
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


# In a shard each document begins with the delimiter; counts include it, so that they add up to the shards.
DELIMITER_TOKENS = 1
