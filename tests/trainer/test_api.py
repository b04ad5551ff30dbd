"""The trainer's library as a stranger meets it."""

import doctest
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import trainer
from tests.conftest import ROOT
from trainer import api
from trainer.run.texts import sample_text


def test_the_examples_of_the_docstrings_run(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(checkout)
    result = doctest.testmod(api)
    assert (result.failed, result.attempted) == (0, 4)


def test_importing_the_package_loads_nothing() -> None:
    program = "import sys, trainer; print([name for name in ('torch', 'numpy', 'pydantic', 'pipeline') if name in sys.modules])"
    shown = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert shown == "[]\n"


def test_documents_of_shards_are_those_that_were_written(checkout: Path) -> None:
    shards = trainer.open_shards(checkout / "data" / "tokens")
    documents = [document for split in shards.dataset.splits for document in shards.documents(split)]
    totals = shards.dataset.content["splits"].values()
    assert len(documents) == sum(split["documents"] for split in totals)
    assert sum(len(document.tokens) for document in documents) == sum(split["tokens"] for split in totals)
    assert sum(len(document.text) for document in documents) == sum(split["n_chars"] for split in totals)


def test_a_seed_gives_the_text_that_the_command_gives(checkout: Path) -> None:
    model = trainer.load_model(checkout / "runs" / "default")
    text = trainer.generate_text(model, "昔々", tokens=10, seed=3)
    assert text == sample_text(model.model, model.tokenizer, "昔々", 10, seed=3)
    assert trainer.generate_text(model, "", tokens=5, temperature=0) == trainer.generate_text(model, "", tokens=5, top_k=1)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda model: trainer.open_shards("/no/such/folder"), "/no/such/folder: there is no such folder"),
        (lambda model: trainer.open_shards(""), "name of the folder is empty"),
        (lambda model: trainer.load_model("/no/such/run"), "/no/such/run: there is no such folder"),
        (lambda model: trainer.generate_text(model, "昔々", tokens=0), "tokens: at least 1"),
        (lambda model: trainer.generate_text(model, "昔々", temperature=-1), "temperature: Input should be greater"),
        (lambda model: trainer.generate_text(model, "\ud800"), "lone surrogate"),
    ],
)
def test_a_mistake_is_one_error(checkout: Path, call: Callable[[trainer.LanguageModel], object], message: str) -> None:
    with pytest.raises(trainer.TrainerError, match=message):
        call(trainer.load_model(checkout / "runs" / "default"))


def test_other_mistakes(checkout: Path) -> None:
    with pytest.raises(trainer.TrainerError, match="no split 'test'; there are train, val"):
        trainer.open_shards(checkout / "data" / "tokens").documents("test")
    with pytest.raises(TypeError, match="prompt must be a str, not bytes"):
        trainer.generate_text(trainer.load_model(checkout / "runs" / "default"), b"x")  # type: ignore[arg-type]
