"""The documented library of the trainer: open token shards, load a model, generate.

`trainer` offers every name here as its own (`from trainer import load_model`); `docs/api.md` shows them at work. What is refused
is one TrainerError; a prompt that is no str is a TypeError.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from pydantic import ValidationError

from model.config import ModelError
from model.generation.sampling import Sampling
from model.gpt import GPT
from pipeline.config import explained
from pipeline.tokens.dataset import TokenDataset
from pipeline.tokens.tokenizer import Tokenizer, TokenizerError
from trainer.config import ShardsConfig
from trainer.data.sources import Sources
from trainer.errors import TrainerError
from trainer.run.texts import TEMPERATURE, load, text_after


@dataclass(frozen=True)
class ShardDocument:
    """A document of the shards. tokens: its ids, uint16 or uint32 of shape (T,), the delimiter first. text: what they spell."""

    doc_id: str
    tokens: npt.NDArray[np.unsignedinteger]
    text: str


@dataclass(frozen=True)
class Shards:
    """Token shards and the tokenizer that made them. `dataset.splits` has each split as one stream of tokens."""

    dataset: TokenDataset
    tokenizer: Tokenizer

    def documents(self, split: str = "train") -> Iterator[ShardDocument]:
        """The documents of a split in the order of the shards. Raises TrainerError for a split that is not there."""
        if split not in self.dataset.splits:
            raise TrainerError(f"{self.dataset.folder}: no split {split!r}; there are {', '.join(self.dataset.splits)}")
        return self._documents(split)

    def _documents(self, split: str) -> Iterator[ShardDocument]:
        for shard in self.dataset.split(split).shards:
            for doc_id, start, stop in zip(shard.doc_ids, shard.offsets[:-1], shard.offsets[1:], strict=True):
                tokens = shard.tokens[start:stop].copy()
                yield ShardDocument(str(doc_id), tokens, self.tokenizer.decode(tokens))


@dataclass(frozen=True)
class LanguageModel:
    """A model with its tokenizer. model: a torch module in evaluation mode, on a GPU where this machine has one."""

    model: GPT
    tokenizer: Tokenizer


def open_shards(folder: str | Path) -> Shards:
    """The token shards in `folder`, such as `data/tokens`; they are mapped, not read.

    Raises TrainerError where there are none, or where one is damaged or of another tokenizer.

    >>> next(open_shards("data/tokens").documents("val")).tokens.dtype
    dtype('uint16')
    """
    sources = Sources.open([ShardsConfig(path=str(_folder(folder)))])
    return Shards(sources.datasets[0], sources.tokenizer())


def load_model(folder: str | Path) -> LanguageModel:
    """The model of a checkpoint, of a run's newest checkpoint, or of an exported folder, with its tokenizer.

    Raises TrainerError where there is none, or where it is damaged.

    >>> load_model("runs/default").model.training
    False
    """
    try:
        model, tokenizer = load(_folder(folder))
    except (ModelError, TokenizerError) as error:
        raise TrainerError(str(error)) from error
    return LanguageModel(model.eval(), tokenizer)


def generate_text(
    model: LanguageModel,
    prompt: str,
    *,
    tokens: int = 200,
    temperature: float = TEMPERATURE,
    top_k: int | None = None,
    top_p: float | None = None,
    seed: int = 0,
) -> str:
    """What the model writes after a prompt, without the prompt; an empty prompt asks for a document from its start.

    tokens: at most so many are added; the end of the document ends the text earlier. temperature: 0 takes the likeliest token
    each time. top_k, top_p: choose among the k likeliest tokens, or the fewest whose probability reaches p. The same seed gives
    the same text. Raises TypeError, TrainerError.

    >>> model = load_model("runs/default")
    >>> generate_text(model, "昔々", tokens=20) == generate_text(model, "昔々", tokens=20)
    True
    """
    if not isinstance(prompt, str):
        raise TypeError(f"prompt must be a str, not {type(prompt).__name__}")
    if tokens < 1:
        raise TrainerError(f"tokens: at least 1, not {tokens}")
    try:
        sampling = Sampling(temperature=temperature, top_k=top_k, top_p=top_p, seed=seed)
    except ValidationError as error:
        raise TrainerError(explained(error, Sampling)) from error
    try:
        return text_after(model.model, model.tokenizer, prompt, tokens, sampling)
    except (ModelError, TokenizerError) as error:
        raise TrainerError(str(error)) from error


def _folder(folder: str | Path) -> Path:
    if not str(folder):
        raise TrainerError("the name of the folder is empty; name one, such as data/tokens or runs/default")
    return Path(folder)
