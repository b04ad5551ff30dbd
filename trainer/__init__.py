"""From token shards to a trained model: data order, training, checkpoints, evaluation and generation."""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from trainer.api import LanguageModel, ShardDocument, Shards, generate_text, load_model, open_shards
    from trainer.errors import TrainerError

# The library (docs/api.md). A name is imported when it is first asked for, so that `import trainer` loads no torch.
__all__ = ["LanguageModel", "ShardDocument", "Shards", "TrainerError", "generate_text", "load_model", "open_shards"]


if not TYPE_CHECKING:  # a type checker that saw it would take every name for one that is there

    def __getattr__(name: str) -> object:
        if name not in __all__:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        return getattr(import_module(f"{__name__}.{'errors' if name == 'TrainerError' else 'api'}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
