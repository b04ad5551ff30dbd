"""Texts that a model writes: loading it with its tokenizer, samples during training, and text as its tokens come.

The model reads the delimiter before each prompt, as before each document that it was trained on; so an empty prompt asks for a
document from its start.
"""

from collections.abc import Sequence
from pathlib import Path

from model.generation.generate import generate
from model.generation.sampling import Sampling
from model.gpt import GPT
from model.weights import TOKENIZER_FOLDER
from pipeline.tokens.opening import load_tokenizer
from pipeline.tokens.tokenizer import Tokenizer
from trainer.checkpoints.models import model_folder, read_model
from trainer.errors import TrainerError
from trainer.machine.device import chosen_device

# Between the repetitions of greedy choice and the incoherence of the whole distribution.
TEMPERATURE = 0.8
_REPLACEMENT = "\ufffd"


def load(path: Path) -> tuple[GPT, Tokenizer]:
    """Load the model and tokenizer of a checkpoint, of a run's newest checkpoint, or of an exported folder.

    Raises TrainerError, ModelError or TokenizerError for folders that are missing, damaged or do not fit together.
    """
    folder = model_folder(path)
    model = read_model(folder, chosen_device("auto"))
    tokenizer = load_tokenizer(folder / TOKENIZER_FOLDER if (folder / TOKENIZER_FOLDER).is_dir() else folder)
    if tokenizer.vocabulary_size > model.config.vocabulary_size:
        raise TrainerError(
            f"{path}: the tokenizer has {tokenizer.vocabulary_size} ids, the model {model.config.vocabulary_size}; "
            "they do not belong together, copy the folder again"
        )
    return model, tokenizer


def prompt_ids(tokenizer: Tokenizer, prompt: str) -> list[int]:
    """Return the ids of the delimiter and the prompt. Raises TokenizerError for text that UTF-8 cannot encode."""
    ids: list[int] = tokenizer.encode_batch([prompt])[0].tolist()
    return [tokenizer.delimiter_id, *ids]


def sample_text(model: GPT, tokenizer: Tokenizer, prompt: str, tokens: int, *, seed: int) -> str:
    """Return the text after the prompt: up to `tokens` tokens, drawn at the default temperature."""
    return text_after(model, tokenizer, prompt, tokens, Sampling(temperature=TEMPERATURE, seed=seed))


def text_after(model: GPT, tokenizer: Tokenizer, prompt: str, tokens: int, sampling: Sampling) -> str:
    """Return the text after the prompt: up to `tokens` tokens. Raises TokenizerError, ModelError."""
    start = prompt_ids(tokenizer, prompt)
    steps = generate(model, [start], tokens, sampling, tokenizer.delimiter_id, tokenizer.vocabulary_size)
    text = tokenizer.decode([*start, *(token for (token,) in steps if token is not None)])
    return text[len(tokenizer.decode(start)) :]


class TextStream:
    """Decodes ids as they come, in pieces of text that later ids do not change.

    A character may consist of several tokens of a byte each. Until it is complete, decoding gives U+FFFD at the end, and the
    piece is held back.
    """

    def __init__(self, tokenizer: Tokenizer) -> None:
        self._tokenizer = tokenizer
        self._returned: list[int] = []  # ids of the last piece: some tokenizers drop a space at the start of a text
        self._held: list[int] = []

    def push(self, ids: Sequence[int]) -> str:
        """Return the text that `ids` add and complete."""
        self._held.extend(ids)
        piece = self.finish()
        if not piece or piece.endswith(_REPLACEMENT):
            return ""
        self._returned, self._held = self._held, []
        return piece

    def finish(self) -> str:
        """Return the text that was held back."""
        return self._tokenizer.decode(self._returned + self._held)[len(self._tokenizer.decode(self._returned)) :]
