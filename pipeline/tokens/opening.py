"""Opens a tokenizer from its files, from the folder of a corpus, or from the settings of a manifest."""

from collections.abc import Mapping
from pathlib import Path

from pipeline.tokens.byte_pairs import BytePairTokenizer, known_to_tiktoken
from pipeline.tokens.config import TokenizerConfig
from pipeline.tokens.hugging_face import BESIDE, check_lossless, hugging_face_tokenizer, read_tokenizer_json
from pipeline.tokens.sentencepiece_model import SentencePieceTokenizer
from pipeline.tokens.tokenizer import JSON_FILE, PATTERN_FILE, RANKS_FILE, SENTENCEPIECE_FILE, Tokenizer, TokenizerError


def tokenizer_of(files: Mapping[str, bytes]) -> Tokenizer:
    """The tokenizer made of `files` (name to content). Raises TokenizerError if they are not a tokenizer's."""
    if SENTENCEPIECE_FILE in files:
        return SentencePieceTokenizer({SENTENCEPIECE_FILE: files[SENTENCEPIECE_FILE]})
    if RANKS_FILE in files and PATTERN_FILE in files:
        return BytePairTokenizer({name: files[name] for name in (RANKS_FILE, PATTERN_FILE)})
    # Last, because an export has it beside the files that it was made from.
    if JSON_FILE in files:
        return hugging_face_tokenizer(files)
    raise TokenizerError(
        f"neither {SENTENCEPIECE_FILE} nor {RANKS_FILE} with {PATTERN_FILE} nor {JSON_FILE} is there; give a saved tokenizer"
    )


def load_tokenizer(folder: Path) -> Tokenizer:
    """The tokenizer that `save` wrote into `folder`, or the `tokenizer.json` of a Hugging Face folder.

    Raises TokenizerError if there is none or it is damaged.
    """
    names = (SENTENCEPIECE_FILE, RANKS_FILE, PATTERN_FILE, JSON_FILE, *BESIDE)
    try:
        return tokenizer_of({name: (folder / name).read_bytes() for name in names if (folder / name).is_file()})
    except (OSError, TokenizerError) as error:
        raise TokenizerError(f"{folder}: {error}") from error


def open_tokenizer(config: TokenizerConfig) -> Tokenizer:
    """The model that `config` names. Raises TokenizerError, naming `tokenizer.model`, if it cannot be opened."""
    if config.model is None:
        raise TokenizerError("tokenizer.model is not set; there is nothing to open")
    try:
        if config.kind == "tiktoken":
            return known_to_tiktoken(config.model)
        path = Path(config.model)
        if config.kind == "hugging_face":
            given = read_tokenizer_json(path)
            check_lossless(given)
            return given
        if path.is_dir():
            tokenizer = load_tokenizer(path)
        elif config.kind == "sentencepiece":
            tokenizer = tokenizer_of({SENTENCEPIECE_FILE: path.read_bytes()})
        else:
            raise TokenizerError("kind bpe takes a folder that holds a saved tokenizer, or no model, to train one")
    except (OSError, TokenizerError) as error:
        raise TokenizerError(f"tokenizer.model: {config.model!r}: {error}") from error
    if not isinstance(tokenizer, SentencePieceTokenizer if config.kind == "sentencepiece" else BytePairTokenizer):
        raise TokenizerError(f"tokenizer.model: {config.model!r} is not of tokenizer.kind {config.kind!r}; change one of them")
    return tokenizer


def model_digest(config: TokenizerConfig) -> str:
    """SHA-256 of the model that `config` names, as it is now; empty if one will be trained. Raises as `open_tokenizer`."""
    return "" if config.model is None else open_tokenizer(config).digest
