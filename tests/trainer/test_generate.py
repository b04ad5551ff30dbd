"""The command that continues a prompt."""

import os
import signal
import threading
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from model.export import export_checkpoint
from model.generation.beam_search import beam_search
from model.generation.sampling import Sampling
from model.gpt import GPT
from pipeline.terminal import harmless
from pipeline.tokens.tokenizer import Tokenizer
from tests.model.checkpoint_folders import small_tokenizer, write_checkpoint
from tests.trainer.run.test_texts import CONFIG, PROMPT, STREAMED, continued, untrained_model
from trainer.generate import main
from trainer.run.texts import TEMPERATURE, prompt_ids


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    return small_tokenizer()


@pytest.fixture(scope="module")
def model() -> GPT:
    return untrained_model()


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory, model: GPT, tokenizer: Tokenizer) -> Path:
    """A run with one checkpoint, which tests must not change."""
    run = tmp_path_factory.mktemp("runs") / "small"
    write_checkpoint(run, model, tokenizer)
    return run


def invoke(*arguments: object, standard_input: str | bytes | None = None) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments], input=standard_input)


def test_the_text_is_the_prompt_and_what_the_model_says_next(run: Path, model: GPT, tokenizer: Tokenizer) -> None:
    result = invoke(run, "--prompt", PROMPT, "--tokens", 25, "--temperature", 0)
    assert result.exit_code == 0, result.output
    assert result.output == harmless(continued(model, tokenizer, PROMPT, 25, Sampling(temperature=0))[0]) + "\n"
    drawn = invoke(run, "--prompt", PROMPT, "--tokens", 25, "--seed", 4, "--top-k", 50, "--top-p", 0.9, "--temperature", 1.5)
    sampling = Sampling(temperature=1.5, top_k=50, top_p=0.9, seed=4)
    assert drawn.output == harmless(continued(model, tokenizer, PROMPT, 25, sampling)[0]) + "\n"
    assert drawn.output != result.output


def test_a_run_its_checkpoint_and_its_export_give_the_same_text(run: Path, tmp_path: Path) -> None:
    export_checkpoint(run, tmp_path / "exported")
    folders = [run, run / "checkpoints" / "step-00000001", tmp_path / "exported"]
    assert len({invoke(folder, "--prompt", PROMPT, "--tokens", 30).output for folder in folders}) == 1


def test_a_document_begins_with_the_delimiter_also_without_a_prompt(run: Path, model: GPT, tokenizer: Tokenizer) -> None:
    assert prompt_ids(tokenizer, "") == [tokenizer.delimiter_id]
    assert prompt_ids(tokenizer, PROMPT)[0] == tokenizer.delimiter_id
    assert prompt_ids(tokenizer, "</s>").count(tokenizer.delimiter_id) == 1
    expected = continued(model, tokenizer, "", 30, Sampling(temperature=TEMPERATURE))[0]
    assert invoke(run, "--tokens", 30).output == harmless(expected) + "\n"


def test_the_prompt_may_come_from_standard_input(run: Path) -> None:
    expected = invoke(run, "--prompt", PROMPT, "--tokens", 10).output
    assert invoke(run, "--prompt", "-", "--tokens", 10, standard_input=f"{PROMPT}\n").output == expected
    assert invoke(run, "--prompt", "-", "--tokens", 10, standard_input=f"{PROMPT}\n\n").output != expected
    wrong = invoke(run, "--prompt", "-", standard_input=PROMPT.encode("cp932"))
    assert wrong.exit_code == 1
    assert "standard input is not UTF-8" in wrong.output


def test_several_samples_differ_and_the_first_is_the_one_alone(run: Path, model: GPT, tokenizer: Tokenizer) -> None:
    texts = continued(model, tokenizer, PROMPT, 20, Sampling(temperature=TEMPERATURE, seed=2), rows=3)
    assert len(set(texts)) == 3
    result = invoke(run, "--prompt", PROMPT, "--tokens", 20, "--seed", 2, "--samples", 3)
    assert result.output == harmless("\n\n".join(texts)) + "\n"
    assert invoke(run, "--prompt", PROMPT, "--tokens", 20, "--seed", 2).output == harmless(texts[0]) + "\n"


def test_beams_give_the_best_texts_first(run: Path, model: GPT, tokenizer: Tokenizer) -> None:
    start = prompt_ids(tokenizer, PROMPT)
    found = beam_search(model, start, 4, 10, tokenizer.delimiter_id, vocabulary_size=tokenizer.vocabulary_size)
    expected = [tokenizer.decode([*start, *ids]) for ids, _ in found[:2]]
    result = invoke(run, "--prompt", PROMPT, "--tokens", 10, "--beams", 4, "--samples", 2)
    assert result.output == harmless("\n\n".join(expected)) + "\n"


# Ends and errors


def test_an_interrupt_ends_quietly_after_what_was_written(run: Path) -> None:
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell that starts the tests in the background ignores it
    timer = threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGINT))
    timer.start()
    # Greedy choice loops, so the text does not end before the interrupt.
    result = invoke(run, "--prompt", PROMPT, "--tokens", 1_000_000, "--temperature", 0)
    timer.join()
    assert result.exit_code == 130
    assert result.stderr == ""
    assert result.output.endswith("\n")


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["--beams", 2, "--top-k", 5], "leave out --top-k"),
        (["--beams", 2, "--samples", 3], "needs as many beams"),
        (["--temperature", -1], "--temperature"),
        (["--top-p", 0], "--top-p"),
        (["--tokens", 0], "--tokens"),
    ],
)
def test_wrong_use_is_named_and_ends_with_2(run: Path, arguments: list[object], named: str) -> None:
    result = invoke(run, *arguments)
    assert result.exit_code == 2
    assert named in result.output


def test_what_cannot_be_loaded_is_one_line(run: Path, tmp_path: Path, model: GPT) -> None:
    export_checkpoint(run, tmp_path / "untold", tokenizer=False)
    write_checkpoint(tmp_path / "small", GPT(CONFIG.model_copy(update={"vocabulary_size": 64})), STREAMED["bytes"])
    damaged = write_checkpoint(tmp_path / "damaged", model, STREAMED["bytes"]) / "model.safetensors"
    damaged.write_bytes(damaged.read_bytes()[:-1])
    (tmp_path / "empty").mkdir()
    for folder, named in (
        ("untold", "sentencepiece.model"),
        ("small", "the tokenizer has 257 ids, the model 64"),
        ("damaged", "model.safetensors"),
        ("empty", "neither a checkpoint nor a run"),
        ("nowhere", "there is no such folder"),
    ):
        result = invoke(tmp_path / folder)
        assert result.exit_code == 1
        assert named in result.output
        assert result.output.count("\n") == 1


def test_a_prompt_that_utf8_cannot_write_is_one_line(run: Path) -> None:
    result = invoke(run, "--prompt", "\udcff")
    assert result.exit_code == 1
    assert "lone surrogate" in result.output
