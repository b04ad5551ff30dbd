"""The interface of tokenizers, text to ids and back, and what their implementations share.

A tokenizer consists of a few small files (a mapping from name to content) and nothing else: `digest` is their hash, `save` writes
them, `tokens.opening.load_tokenizer` reads them. There are three kinds: a SentencePiece model, byte pairs with ranks in
tiktoken's format, and a `tokenizer.json` of Hugging Face's library. Training is in `tokens.training`.

Encoding has no special tokens: `<|endoftext|>` in a page is thirteen characters, never the delimiter. Tokenizers trained here are
lossless, `decode(encode(text)) == text`; a given model keeps the normalisation that it was trained with.
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
RANKS_FILE = "ranks.tiktoken"  # one line per token: its bytes in base64, a space, its id
PATTERN_FILE = "pattern.json"  # the expression that cuts text before pairs are merged, and the ids of special tokens
JSON_FILE = "tokenizer.json"  # of Hugging Face's library
CONFIG_FILE = "tokenizer_config.json"  # beside it: the name of the delimiter
DELIMITER = "<|endoftext|>"

# Longer texts are encoded in blocks of this size. A block costs SentencePiece about 30 MB of working memory (65 bytes per
# character), and keeps the expressions of tiktoken's models below their engine's limit of 1,000,000 backtracking steps.
BLOCK_CHARACTERS = 500_000

# SentencePiece replaces a space by this character, and decodes it to a space.
SPACE_MARK = "\u2581"


class TokenizerError(UserError):
    """A tokenizer cannot be made or loaded, or cannot encode a text; the message says what to do."""


class Tokenizer(Protocol):
    """What the stages need from a tokenizer. Ids are uint16 up to a vocabulary of 65,536, otherwise uint32."""

    @property
    def files(self) -> Mapping[str, bytes]:
        """All files of the tokenizer, name to content."""

    @property
    def vocabulary_size(self) -> int:
        """The number of ids, special ones included."""

    @property
    def delimiter(self) -> str:
        """The name of the token that begins each document."""

    @property
    def delimiter_id(self) -> int:
        """The delimiter's id, which no text encodes to."""

    @property
    def digest(self) -> str:
        """The hex SHA-256 of the files' names and contents."""

    def encode_batch(self, texts: Sequence[str]) -> tuple[npt.NDArray[np.unsignedinteger[Any]], npt.NDArray[np.int64]]:
        """All ids of `texts` in one flat array, without delimiters, and int64 offsets (N + 1,): text i has the ids in
        [offsets[i], offsets[i + 1]). A text above `BLOCK_CHARACTERS` is encoded in blocks, each cut after its last line end; a
        `tokenizer.json` encodes it at once.
        Raises TokenizerError for a text with a lone surrogate, which UTF-8 cannot encode."""

    def count_batch(self, texts: Sequence[str]) -> npt.NDArray[np.int64]:
        """The number of ids of each text, without delimiters: int64 (N,). Raises TokenizerError as `encode_batch`."""

    def decode(self, ids: Sequence[int] | npt.NDArray[np.integer[Any]]) -> str:
        """The text of `ids`. Special tokens have no text, and bytes that are not UTF-8 become U+FFFD. Raises TokenizerError
        for an id outside the vocabulary."""

    def save(self, folder: Path) -> None:
        """Write the files into `folder`, each atomically; `load_tokenizer` reads the same tokenizer back. Raises OSError."""


def surrogate_error(error: UnicodeEncodeError) -> TokenizerError:
    """The error for a text that UTF-8 cannot encode."""
    return TokenizerError(f"a text holds a lone surrogate ({error}); replace it by U+FFFD before it is tokenized")


def _blocks(text: str) -> Iterator[str]:
    """Yield `text` in blocks of at most BLOCK_CHARACTERS, each cut after its last line end, if it has one."""
    start = 0
    while len(text) - start > BLOCK_CHARACTERS:
        limit = start + BLOCK_CHARACTERS
        end = text.rfind("\n", start, limit) + 1 or limit
        yield text[start:end]
        start = end
    yield text[start:]


def _cut(texts: Sequence[str], cut: Callable[[str], Iterator[str]]) -> tuple[list[str], npt.NDArray[np.int64]]:
    """The pieces that `cut` makes of each of N texts, at least one per text, and offsets (N + 1,) into them."""
    pieces: list[str] = []
    ends = [0]
    for text in texts:
        pieces.extend(cut(text))
        ends.append(len(pieces))
    return pieces, np.array(ends)


def _flat(
    encoded: Sequence[npt.NDArray[np.integer[Any]]], ends_of_texts: npt.NDArray[np.int64], dtype: np.dtype
) -> tuple[npt.NDArray[np.unsignedinteger[Any]], npt.NDArray[np.int64]]:
    """The ids of all pieces in one array of `dtype`, and the offsets of the N texts in it: int64 (N + 1,)."""
    ends_of_pieces = np.cumsum([0, *map(len, encoded)], dtype=np.int64)
    # numpy calls int32 to uint16 "unsafe"; it is safe here, because every id is below the vocabulary size that decides the dtype.
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


# Each document in a shard begins with the delimiter. Counts include it, so that they add up to the tokens of the shards.
DELIMITER_TOKENS = 1
