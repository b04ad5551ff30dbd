"""The token datasets of a run: opened, compared with each other and with the model, and cut into windows."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from model.config import ModelConfig
from pipeline.tokens.dataset import TokenDataset, TokenSplit
from pipeline.tokens.opening import load_tokenizer
from pipeline.tokens.store import DATASET_FILE, TokenMeta, TokenStoreError
from pipeline.tokens.tokenizer import Tokenizer, TokenizerError
from trainer.config import CONFIGURATION_FILE, ShardsConfig
from trainer.data.order import Dataset, Order
from trainer.data.windows import Windows
from trainer.errors import TrainerError


@dataclass(frozen=True, eq=False)
class TextSize:
    """The amount of text in a split, from the exact sums in its dataset.json.

    tokens: targets, which are all tokens but the first. n_bytes, n_characters: of the encoded texts.
    """

    tokens: int
    n_bytes: int
    n_characters: int

    @classmethod
    def of(cls, dataset: TokenDataset, split: str) -> "TextSize":
        """Return the sizes of a split of `dataset`."""
        totals = dataset.content["splits"][split]
        return cls(totals["tokens"] - 1, totals["n_bytes"], totals["n_chars"])


def token_folder(path: Path) -> Path:
    """The folder of shards that `path` means: itself, or `tokens` in the folder of a corpus.

    Raises TrainerError that tells apart a missing folder, a file, an unfinished corpus, a training run and anything else.
    """
    for folder in (path, path / "tokens"):
        if (folder / DATASET_FILE).exists():
            return folder
    remedy = "name a folder that the pipeline wrote, such as data/tokens"
    if not path.exists():
        place = "" if path.is_absolute() else f" in {Path.cwd()}"
        raise TrainerError(f"{path}: there is no such folder{place}; {remedy}")
    if not path.is_dir():
        raise TrainerError(f"{path}: is a file; {remedy}")
    corpus = next((folder for folder in (path, path.parent) if any((folder / name).exists() for name in _OF_A_CORPUS)), None)
    if corpus is not None or any(path.glob("*.arrow")):
        run = f"python -m pipeline run {(corpus or path.parent) / 'manifest.yaml'}"
        raise TrainerError(f"{path}: {DATASET_FILE} is missing: the corpus is not finished; run the pipeline to its end: {run}")
    if any((path / name).exists() for name in _OF_A_RUN):
        raise TrainerError(f"{path}: is the folder of a training run and holds no token shards; {remedy}")
    raise TrainerError(f"{path}: holds no token shards ({DATASET_FILE} is missing); {remedy}")


# Files by which a folder is known for what it is.
_OF_A_CORPUS = ("manifest.yaml", "manifest.duckdb")
_OF_A_RUN = (CONFIGURATION_FILE, "checkpoints")


def _parts_needed(parts: Sequence[str], all_parts: Iterable[Sequence[str]]) -> int:
    """How many parts of the end tell `parts` from the others, at least two: data/tokens says more than tokens."""
    others = [other for other in all_parts if other != parts]
    counts = range(min(2, len(parts) - 1), len(parts))
    return next((count for count in counts if all(parts[-count:] != other[-count:] for other in others)), len(parts) - 1)


def _moved(config: ShardsConfig, dataset: TokenDataset) -> bool:
    return dataset.folder != Path(config.path)


@dataclass(frozen=True, eq=False)
class Sources:
    """The datasets of a run, all made with one tokenizer."""

    configs: tuple[ShardsConfig, ...]
    datasets: tuple[TokenDataset, ...]
    meta: TokenMeta

    @classmethod
    def open(cls, configs: Sequence[ShardsConfig]) -> "Sources":
        """Open every folder, or its `tokens` if it is that of a corpus.

        Raises TrainerError for one that is missing, unfinished, something else, damaged or made with another tokenizer.
        """
        try:
            datasets = tuple(TokenDataset.open(token_folder(Path(config.path))) for config in configs)
        except TokenStoreError as error:
            raise TrainerError(str(error)) from error
        meta = datasets[0].meta
        for dataset in datasets:
            if dataset.meta != meta:
                raise TrainerError(
                    f"{dataset.folder / DATASET_FILE}: its tokenizer {dataset.meta.tokenizer_sha256[:12]} "
                    f"({dataset.meta.vocabulary_size} ids) is not that of {datasets[0].folder}, {meta.tokenizer_sha256[:12]} "
                    f"({meta.vocabulary_size} ids); build it again with tokenizer.model set to the other's tokens/tokenizer"
                )
        return cls(tuple(configs), datasets, meta)

    @property
    def fingerprints(self) -> list[str]:
        """The datasets' identities: the same for the same bytes, wherever the folders are."""
        return [dataset.fingerprint for dataset in self.datasets]

    @property
    def names(self) -> list[str]:
        """What the user calls them: the folders as they were given."""
        return [config.label for config in self.configs]

    @property
    def labels(self) -> dict[str, str]:
        """A short label for each name that is an absolute path: as many parts of its end as tell it from the other sources."""
        named = {name: Path(name).parts for name in self.names if Path(name).is_absolute()}
        return {name: "/".join(parts[-_parts_needed(parts, named.values()) :]) for name, parts in named.items()}

    @property
    def notes(self) -> list[str]:
        """A line for each folder of a corpus whose `tokens` were opened instead."""
        pairs = zip(self.configs, self.datasets, strict=True)
        return [f"{config.path} is a corpus: its shards in {own.folder} are used" for config, own in pairs if _moved(config, own)]

    def tokenizer(self) -> Tokenizer:
        """Return the tokenizer of the shards. Raises TrainerError if it is missing beside them, or a different one."""
        folder = self.datasets[0].folder / "tokenizer"
        try:
            tokenizer = load_tokenizer(folder)
        except TokenizerError as error:
            raise TrainerError(str(error)) from error
        if tokenizer.digest != self.meta.tokenizer_sha256:
            raise TrainerError(
                f"{folder}: holds tokenizer {tokenizer.digest[:12]}, but the shards were made with "
                f"{self.meta.tokenizer_sha256[:12]}; copy the right one there or run the pipeline again"
            )
        return tokenizer

    def check_model(self, config: ModelConfig, origin: object) -> None:
        """Raise TrainerError if the shards have ids beyond the vocabulary of the model from `origin`."""
        if self.meta.vocabulary_size > config.vocabulary_size:
            raise TrainerError(
                f"{self.datasets[0].folder / DATASET_FILE}: {self.meta.vocabulary_size} ids, more than the "
                f"{config.vocabulary_size} of the model ({origin}); use a larger vocabulary_size (--vocabulary-size), or shards "
                "made with the model's tokenizer"
            )

    def windows(self, split: str, length: int) -> list[Windows]:
        """Return the windows of each source. Raises TrainerError for a split with too few tokens."""
        return [Windows(self._split(dataset, split), length) for dataset in self.datasets]

    def _split(self, dataset: TokenDataset, split: str) -> TokenSplit:
        try:
            return dataset.split(split)
        except TokenStoreError as error:
            raise TrainerError(str(error)) from error

    def order(self, windows: Sequence[Windows], seed: int) -> Order:
        """Return the order of training; sources without weights form one set of windows."""
        return Order(
            [
                Dataset(config.label, len(own), len(own) if config.weight is None else config.weight, config.max_epochs)
                for config, own in zip(self.configs, windows, strict=True)
            ],
            seed,
        )

    def bytes_per_token(self, order: Order) -> float:
        """Return the average bytes of text per target over the training mixture."""
        sizes = [TextSize.of(dataset, "train") for dataset in self.datasets]
        total = sum(source.weight for source in order.sources)
        return sum(source.weight / total * size.n_bytes / size.tokens for source, size in zip(order.sources, sizes, strict=True))

    def mean_context(self) -> float:
        """Return the tokens of an average document, including its delimiter."""
        splits = [dataset.split("train") for dataset in self.datasets]
        return sum(split.tokens for split in splits) / sum(split.documents for split in splits)
