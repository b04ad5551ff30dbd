"""Tokenizers that are SentencePiece models, given or trained here."""

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import sentencepiece

from pipeline.tokens.store import token_dtype
from pipeline.tokens.tokenizer import (
    SENTENCEPIECE_FILE,
    SPACE_MARK,
    TokenizerError,
    _blocks,
    _checked,
    _cut,
    _digest,
    _flat,
    _save,
    surrogate_error,
)


class SentencePieceTokenizer:
    """A SentencePiece model. The delimiter is the model's end-of-sentence symbol. Raises TokenizerError if it has none.

    The library writes a space as U+2581, so U+2581 in a text would decode to a space. If the model is lossless otherwise, this
    loss is avoided too: text is cut at U+2581, and that character is encoded as its three byte pieces.
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

    def _bytes_of_the_mark(self) -> npt.NDArray[np.int32] | None:
        """The byte pieces of U+2581; None for a model that adds spaces, changes characters or has no byte pieces."""
        probe = "  ① ﾊ\u3099 "
        if self._model.normalize(probe) != probe.replace(" ", SPACE_MARK):
            return None
        ids = [self._model.piece_to_id(f"<0x{byte:02X}>") for byte in SPACE_MARK.encode()]
        return np.array(ids, dtype=np.int32) if all(map(self._model.is_byte, ids)) else None

    def encode_batch(self, texts: Sequence[str]) -> tuple[npt.NDArray[np.unsignedinteger[Any]], npt.NDArray[np.int64]]:
        pieces, ends = _cut(texts, _at_mark if self._mark is not None else _blocks)
        try:
            # One thread: a worker process has one core.
            encoded = self._model.encode([piece.encode("utf-8") for piece in pieces], return_type="numpy", num_threads=1)
        except UnicodeEncodeError as error:
            raise surrogate_error(error) from error
        if self._mark is not None:
            encoded = [self._mark if piece == SPACE_MARK else ids for piece, ids in zip(pieces, encoded, strict=True)]
        return _flat(encoded, ends, self._dtype)

    def count_batch(self, texts: Sequence[str]) -> npt.NDArray[np.int64]:
        return np.diff(self.encode_batch(texts)[1])

    def decode(self, ids: Sequence[int] | npt.NDArray[np.integer[Any]]) -> str:
        text: str = self._model.decode(_checked(ids, self.vocabulary_size).tolist())
        return text

    def save(self, folder: Path) -> None:
        _save(self.files, folder)


def _at_mark(text: str) -> Iterator[str]:
    """The blocks of `text`, cut again so that each U+2581 is a piece of its own."""
    for block in _blocks(text):
        if SPACE_MARK in block:
            yield from re.split(f"({SPACE_MARK})", block)
        else:
            yield block
