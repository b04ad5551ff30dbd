"""`tokenizer.json`, made from a SentencePiece model or from byte pairs with ranks.

The JSON is written directly, in the form that the `tokenizers` library uses (src/tokenizer/serialization.rs), so that neither
that library nor transformers is needed. File formats are those of `pipeline.tokens`, repeated here because this package does not
import the pipeline; tests compare both sides.
"""

import base64
import binascii
import importlib
import json
import re
from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any

import sentencepiece

DELIMITER = "<|endoftext|>"

# SentencePiece writes this character for a space.
_SPACE_MARK = "\u2581"
# Inside the normalizer the mark is an escape character: before M it means itself, before C a cut.
_ESCAPED_MARK = f"{_SPACE_MARK}M"
_CUT = f"{_SPACE_MARK}C"
# The library finds byte pieces by their names in the text; their names spell the mark.
_SPELLED_MARK = "".join(f"<0x{byte:02X}>" for byte in _SPACE_MARK.encode())
_BYTE_NAMES = [f"<0x{byte:02X}>" for byte in range(256)]


class TokenizerExportError(Exception):
    """A tokenizer that `tokenizer.json` cannot express, or missing files. The message says what to do."""


def _assembled(
    model: Mapping[str, Any],
    added: Mapping[str, int],
    normalizers: list[dict[str, Any]],
    pre_tokenizers: list[dict[str, Any]],
    decoders: list[dict[str, Any]],
) -> dict[str, Any]:
    """Return a complete `tokenizer.json`. added: the special tokens and their ids."""
    flags = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": True}
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [
            {"id": number, "content": name, **flags} for name, number in sorted(added.items(), key=lambda item: item[1])
        ],
        "normalizer": {"type": "Sequence", "normalizers": normalizers} if normalizers else None,
        "pre_tokenizer": {"type": "Sequence", "pretokenizers": pre_tokenizers},
        "post_processor": None,
        "decoder": {"type": "Sequence", "decoders": decoders},
        "model": model,
    }


def _replace(pattern: dict[str, str], content: str) -> dict[str, Any]:
    return {"type": "Replace", "pattern": pattern, "content": content}


def _split(pattern: dict[str, str], behavior: str) -> dict[str, Any]:
    return {"type": "Split", "pattern": pattern, "behavior": behavior, "invert": False}


# SentencePiece


def of_sentencepiece(path: Path) -> tuple[dict[str, Any], dict[str, str]]:
    """Return the tokenizer of a unigram model, and its beginning, end and unknown tokens."""
    model = _read_proto(path)
    normalization, kinds = model.normalizer_spec, model.SentencePiece
    normal = [piece.piece for piece in model.pieces if piece.type == kinds.NORMAL]
    added = {piece.piece: index for index, piece in enumerate(model.pieces) if piece.type in (kinds.CONTROL, kinds.UNKNOWN)}
    unknown, delimiter = model.trainer_spec.unk_piece, model.trainer_spec.eos_piece

    # Only a model that adds no space keeps the mark; for others it is a space, as in SentencePiece.
    keeps_mark = not normalization.add_dummy_prefix
    normalizers = [_replace({"String": _SPACE_MARK}, _ESCAPED_MARK if keeps_mark else " ")]
    if normalization.add_dummy_prefix:
        normalizers.append({"type": "Prepend", "prepend": " "})
    normalizers.extend(_cuts_of_names(added, normal))
    pre_tokenizers = [_split({"String": _CUT}, "Removed")]
    if keeps_mark:
        normalizers.append(_replace({"String": _ESCAPED_MARK}, _SPELLED_MARK))
        pre_tokenizers.append(_split({"String": _SPELLED_MARK}, "Isolated"))
    # Spaces become marks only here, after the last use of the mark as an escape.
    pre_tokenizers.append({"type": "Metaspace", "replacement": _SPACE_MARK, "prepend_scheme": "never", "split": False})

    decoders = [_replace({"String": _SPACE_MARK}, " "), {"type": "ByteFallback"}, {"type": "Fuse"}]
    if normalization.add_dummy_prefix:
        decoders.append({"type": "Strip", "content": " ", "start": 1, "stop": 0})
    unigram = {
        "type": "Unigram",
        "unk_id": added[unknown],
        "vocab": [[piece.piece, piece.score] for piece in model.pieces],
        "byte_fallback": True,
    }
    special = {"bos_token": delimiter, "eos_token": delimiter, "unk_token": unknown}
    return _assembled(unigram, added, normalizers, pre_tokenizers, decoders), special


def _read_proto(path: Path) -> Any:
    """Return the model at `path` as a protocol buffer. Raises TokenizerExportError if `tokenizer.json` cannot express it."""
    try:
        content = path.read_bytes()
        # The library validates the file before it is parsed.
        sentencepiece.SentencePieceProcessor().LoadFromSerializedProto(content)
    except (OSError, RuntimeError) as error:
        raise TokenizerExportError(f"{path}: cannot be read as a SentencePiece model ({error}); copy it again") from error
    try:
        # Imported here, and by name: SentencePiece ships the module without requiring the package protobuf that it needs.
        model = importlib.import_module("sentencepiece.sentencepiece_model_pb2").ModelProto()
    except ImportError as error:
        raise TokenizerExportError(f"{path}: reading it requires protobuf ({error}); pip install protobuf") from error
    model.ParseFromString(content)
    training, normalization, kinds = model.trainer_spec, model.normalizer_spec, model.SentencePiece
    expressible = (kinds.NORMAL, kinds.UNKNOWN, kinds.CONTROL, kinds.BYTE)
    controls = {piece.piece for piece in model.pieces if piece.type == kinds.CONTROL}
    bytes_there = {piece.piece for piece in model.pieces if piece.type == kinds.BYTE}
    obstacles = {
        "it is not a unigram model": training.model_type != training.UNIGRAM,
        "it has no byte fallback": not bytes_there.issuperset(_BYTE_NAMES),
        f"it normalizes text by {normalization.name!r}": bool(normalization.precompiled_charsmap),
        "it changes text after decoding": bool(model.denormalizer_spec.precompiled_charsmap),
        "it removes extra spaces": normalization.remove_extra_whitespaces,
        "it keeps spaces unmarked": not normalization.escape_whitespaces,
        "it adds a space after a text": normalization.add_dummy_prefix and training.treat_whitespace_as_suffix,
        "it has user-defined pieces": any(piece.type not in expressible for piece in model.pieces),
        "it has no end-of-sentence symbol": training.eos_piece not in controls,
    }
    found = [obstacle for obstacle, there in obstacles.items() if there]
    if found:
        raise TokenizerExportError(
            f"{path}: cannot be written as tokenizer.json: {', '.join(found)}; export the model without its tokenizer"
        )
    return model


def _cuts_of_names(names: Mapping[str, int], normal: list[str]) -> list[dict[str, Any]]:
    """Return normalizers that cut the names of special and byte pieces in a text.

    SentencePiece finds only normal pieces in a text, `tokenizers` finds all. A cut between two characters changes nothing else
    if no normal piece contains both in a row, since then no piece spans the cut.
    """
    all_pieces = "\n".join(normal)
    cuts = []
    for name in names:
        for position, pair in enumerate(pairwise(name), start=1):
            if "".join(pair) not in all_pieces:
                cuts.append(_replace({"String": name}, f"{name[:position]}{_CUT}{name[position:]}"))
                break
    # One rule cuts all byte names, within the characters that they share.
    for kept, rest in (("<", "0x[0-9A-F]{2}>"), ("<0", "x[0-9A-F]{2}>")):
        if kept[-1] + rest[0] not in all_pieces:
            return [*cuts, _replace({"Regex": f"{kept}(?={rest})"}, kept + _CUT)]
    return cuts


# Byte pairs


def of_byte_pairs(ranks_path: Path, pattern_path: Path) -> tuple[dict[str, Any], dict[str, str]]:
    """Return the tokenizer of byte pairs with ranks, and its beginning and end tokens."""
    try:
        lines = [line.split() for line in ranks_path.read_bytes().splitlines()]
        ranks = {base64.b64decode(token): int(rank) for token, rank in lines}
    except (OSError, ValueError, binascii.Error) as error:
        raise TokenizerExportError(f"{ranks_path}: cannot be read as tokens with ranks ({error}); copy it again") from error
    try:
        cutting = json.loads(pattern_path.read_text(encoding="utf-8"))
        pattern, special_ids = str(cutting["pattern"]), {str(name): int(rank) for name, rank in cutting["special_tokens"].items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise TokenizerExportError(f"{pattern_path}: has no pattern and special tokens ({error!r}); copy it again") from error
    if DELIMITER not in special_ids or any(bytes([byte]) not in ranks for byte in range(256)):
        raise TokenizerExportError(f"{ranks_path}: every byte needs a rank, and {DELIMITER} an id; train the tokenizer again")
    letters = _byte_letters()
    spelled = {token: "".join(letters[byte] for byte in token) for token in ranks}
    byte_pairs = {
        "type": "BPE",
        "unk_token": None,
        "byte_fallback": False,
        # tiktoken, too, first looks up the whole piece of text before it merges.
        "ignore_merges": True,
        "vocab": {spelled[token]: rank for token, rank in ranks.items()} | special_ids,
        "merges": [[spelled[left], spelled[right]] for left, right in _merges(ranks)],
    }
    # The pattern has already split the text; this step only maps bytes to letters.
    byte_level = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": False, "use_regex": False}
    pre_tokenizers = [_split({"Regex": _for_oniguruma(pattern, pattern_path)}, "Isolated"), byte_level]
    special = {"bos_token": DELIMITER, "eos_token": DELIMITER}
    return _assembled(byte_pairs, special_ids, [], pre_tokenizers, [byte_level]), special


def _byte_letters() -> list[str]:
    """Return the letter for each byte, as in GPT-2's encoder.py.

    It is the byte itself if that is a visible character of Latin-1, else the next unused character from U+0100 on.
    """
    visible = {*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)}
    others = iter(range(0x100, 0x200))
    return [chr(byte if byte in visible else next(others)) for byte in range(256)]


def _merges(ranks: Mapping[bytes, int]) -> list[tuple[bytes, bytes]]:
    """Return the pairs that are merged, by rank: for each token, the two parts that merging with lower ranks leaves of it.

    Ranks define which tokens may result from any two neighbours, merges define which neighbours. Both are equivalent, since
    merging inside a token involves nothing outside it. A token that is not left in two parts is never merged, only looked up.
    """
    merges = []
    for token, rank in sorted(ranks.items(), key=lambda item: item[1]):
        parts = [token[index : index + 1] for index in range(len(token))]
        while len(parts) > 2:
            neighbours = [(ranks.get(left + right, rank), index) for index, (left, right) in enumerate(pairwise(parts))]
            least, index = min(neighbours)
            if least >= rank:
                break
            parts[index : index + 2] = [parts[index] + parts[index + 1]]
        if len(parts) == 2:
            merges.append((parts[0], parts[1]))
    return merges


def _for_oniguruma(pattern: str, path: Path) -> str:
    """Translate `pattern` from the regex syntax of Rust to that of Oniguruma, which `tokenizers` uses.

    `{1,3}+`, as in cl100k_base, is possessive in Rust and a repeated group in Oniguruma. Plain `{1,3}` is equivalent at the end
    of an alternative, where nothing follows that could make the engine backtrack.
    """
    greedy = re.sub(r"(\{\d+(?:,\d*)?\})\+(?=\||$)", r"\1", pattern)
    if re.search(r"\{\d+(?:,\d*)?\}\+", greedy):
        raise TokenizerExportError(f"{path}: the pattern has a possessive count inside an alternative; rewrite it without")
    return greedy
