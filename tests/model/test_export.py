"""Exports as transformers loads them, and what remains after a failed one."""

import os
import shutil
import signal
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from click.testing import CliRunner, Result

from model import export
from model.config import ModelError
from model.export import export_checkpoint, main
from model.gpt import GPT
from model.hugging_face.folder import read_hugging_face
from pipeline.tokens.opening import tokenizer_of
from pipeline.tokens.tokenizer import Tokenizer
from tests.model.checkpoint_folders import files_of_at_most, small_tokenizer, write_checkpoint
from tests.model.hugging_face.test_tokenizer import sentencepiece_files
from tests.model.test_gpt import TINY, TINY_GPT2
from tests.trainer.checkpoint_files import in_child
from trainer.run.texts import prompt_ids

CONFIG = TINY.model_copy(update={"vocabulary_size": 500, "context_length": 64})


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    return small_tokenizer()


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory, tokenizer: Tokenizer) -> Path:
    """A run with two checkpoints, which tests must not change."""
    run = tmp_path_factory.mktemp("runs") / "small"
    for step in (9, 10):
        torch.manual_seed(step)
        write_checkpoint(run, GPT(CONFIG), tokenizer, step)
    return run


def invoke(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def everything(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("kind", ["sentencepiece", "bytes"])
def test_transformers_loads_model_and_tokenizer_and_generates_the_same_text(kind: str, tmp_path: Path) -> None:
    tokenizer = small_tokenizer(kind)
    torch.manual_seed(0)
    # As many ids as the tokenizer has: transformers would generate any others too.
    model = GPT(CONFIG.model_copy(update={"vocabulary_size": tokenizer.vocabulary_size}))
    write_checkpoint(tmp_path / "run", model, tokenizer)
    result = invoke(tmp_path / "run", tmp_path / "new" / "exported")
    assert result.exit_code == 0, result.output
    assert "Qwen3ForCausalLM" in result.output
    their_tokenizer = transformers.AutoTokenizer.from_pretrained(tmp_path / "new" / "exported")
    theirs: Any = transformers.AutoModelForCausalLM.from_pretrained(tmp_path / "new" / "exported")
    prompt = "吾輩は猫である。"
    ids = [their_tokenizer.bos_token_id, *their_tokenizer.encode(prompt)]
    assert ids == prompt_ids(tokenizer, prompt)
    generated = theirs.generate(torch.tensor([ids]), max_new_tokens=20, do_sample=False)[0]
    greedy = transformers.GenerationConfig.from_pretrained(tmp_path / "new" / "exported")
    assert greedy.eos_token_id == tokenizer.delimiter_id
    with torch.no_grad():
        for place in range(len(ids), len(generated)):
            assert int(model.logits(generated[None, :place])[0, -1].argmax()) == int(generated[place])
    assert their_tokenizer.decode(generated, skip_special_tokens=True) == tokenizer.decode(generated.tolist())


def test_a_run_means_its_newest_checkpoint(run: Path, tmp_path: Path) -> None:
    export_checkpoint(run, tmp_path / "of the run")
    for step, same in ((9, False), (10, True)):
        export_checkpoint(run / "checkpoints" / f"step-{step:08d}", tmp_path / f"of {step}")
        assert (everything(tmp_path / f"of {step}") == everything(tmp_path / "of the run")) is same


def test_an_export_goes_to_a_new_or_empty_folder_or_over_an_earlier_export(run: Path, tmp_path: Path) -> None:
    target = tmp_path / "exported"
    target.mkdir()
    export_checkpoint(run / "checkpoints" / "step-00000009", target)
    earlier = everything(target)
    export_checkpoint(run, target)
    assert everything(target).keys() == earlier.keys()
    assert everything(target) != earlier
    assert [path.name for path in tmp_path.iterdir()] == ["exported"]


@pytest.mark.parametrize(
    ("name", "content", "named"),
    [
        ("notes.txt", "mine", "holds notes.txt, which no export writes"),
        ("config.json", "{}", "holds files that no export wrote"),
    ],
)
def test_what_is_no_earlier_export_is_left_alone(run: Path, tmp_path: Path, name: str, content: str, named: str) -> None:
    target = tmp_path / "exported"
    target.mkdir()
    (target / name).write_text(content)
    result = invoke(run, target)
    assert result.exit_code == 1
    assert named in result.output
    assert everything(target) == {name: content.encode()}
    (tmp_path / "file").touch()
    assert "is a file" in invoke(run, tmp_path / "file").output


def test_a_file_that_is_added_to_an_export_is_not_lost(run: Path, tmp_path: Path) -> None:
    export_checkpoint(run, tmp_path / "exported")
    (tmp_path / "exported" / "README.md").write_text("my model")
    with pytest.raises(ModelError, match=r"README\.md"):
        export_checkpoint(run, tmp_path / "exported")
    assert (tmp_path / "exported" / "README.md").read_text() == "my model"


@pytest.mark.parametrize("name", ["model.safetensors", "model.json", "tokenizer/sentencepiece.model"])
def test_a_checkpoint_with_a_changed_bit_or_a_missing_file_is_not_exported(run: Path, tmp_path: Path, name: str) -> None:
    copy = shutil.copytree(run, tmp_path / "run")
    path = copy / "checkpoints" / "step-00000010" / name
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    result = invoke(path.parents[len(Path(name).parts) - 1], tmp_path / "exported")
    assert result.exit_code == 1
    assert f"{path}: has changed since it was written" in result.output
    path.unlink()
    assert f"{path}" in invoke(copy, tmp_path / "exported").output
    assert [path.name for path in tmp_path.iterdir()] == ["run"]


def test_a_folder_without_a_checkpoint_is_named_with_what_is_wanted(tmp_path: Path) -> None:
    result = invoke(tmp_path, tmp_path / "exported")
    assert result.exit_code == 1
    assert result.output.count("\n") == 1
    assert "neither a checkpoint" in result.output
    assert invoke(tmp_path / "nowhere", tmp_path / "exported").exit_code == 2


def test_a_tokenizer_that_cannot_be_expressed_can_be_left_out(tmp_path: Path) -> None:
    normalizing = tokenizer_of(sentencepiece_files(normalization_rule_name="nmt_nfkc"))
    write_checkpoint(tmp_path / "run", GPT(CONFIG), normalizing)
    result = invoke(tmp_path / "run", tmp_path / "exported")
    assert result.exit_code == 1
    assert "normalizes text" in result.output
    assert not (tmp_path / "exported").exists()
    assert invoke(tmp_path / "run", tmp_path / "exported", "--no-tokenizer").exit_code == 0
    assert sorted(everything(tmp_path / "exported")) == ["config.json", "generation_config.json", "model.safetensors"]
    assert read_hugging_face(tmp_path / "exported").config == CONFIG


def test_a_shape_that_no_class_can_express_is_one_line(tmp_path: Path, tokenizer: Tokenizer) -> None:
    odd = TINY_GPT2.model_copy(update={"vocabulary_size": 500, "normalization": "rms_norm"})
    write_checkpoint(tmp_path / "run", GPT(odd), tokenizer)
    result = invoke(tmp_path / "run", tmp_path / "exported")
    assert result.exit_code == 1
    assert result.output.count("\n") == 1
    assert "normalization 'layer_norm' instead of 'rms_norm'" in result.output


def test_a_full_disk_leaves_the_earlier_export_and_nothing_else(run: Path, tmp_path: Path) -> None:
    target = tmp_path / "exported"
    export_checkpoint(run / "checkpoints" / "step-00000009", target)
    earlier = everything(target)
    with files_of_at_most(120_000):  # more than any file of the tokenizer, less than the weights
        result = invoke(run, target)
    assert result.exit_code == 1
    assert f"{target}: cannot be written" in result.output
    assert everything(target) == earlier
    assert [path.name for path in tmp_path.iterdir()] == ["exported"]


def test_a_killed_export_leaves_nothing_that_looks_like_one(run: Path, tmp_path: Path) -> None:
    target = tmp_path / "exported"

    def kill(*_: object) -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    with pytest.MonkeyPatch.context() as patched:
        # At this point the tokenizer has been written and the model has not.
        patched.setattr(export, "write_hugging_face", kill)
        assert in_child(lambda: export_checkpoint(run, target)) == signal.SIGKILL
    assert not target.exists()
    export_checkpoint(run, target)
    assert [path.name for path in tmp_path.iterdir()] == ["exported"]
