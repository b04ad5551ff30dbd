"""Exports as transformers loads them, and what remains after a failed one."""

import json
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
from model.config import ModelConfig, ModelError
from model.export import export_checkpoint, main
from model.gpt import GPT
from model.hugging_face import card
from model.hugging_face.folder import read_hugging_face
from model.weights import TOKENIZER_FOLDER, save_weights
from pipeline.tokens.opening import tokenizer_of
from pipeline.tokens.tokenizer import Tokenizer
from tests.model.checkpoint_folders import files_of_at_most, small_tokenizer, write_checkpoint
from tests.model.hugging_face.test_tokenizer import sentencepiece_files
from tests.model.test_gpt import TINY, TINY_GPT2
from tests.trainer.checkpoint_files import in_child
from trainer.checkpoints.folder import CHECKPOINT_FILE, commit, writing
from trainer.checkpoints.state import TRAINING_FILE
from trainer.run.texts import prompt_ids

CONFIG = TINY.model_copy(update={"vocabulary_size": 500, "context_length": 64})
GPT2 = TINY_GPT2.model_copy(update={"vocabulary_size": 500, "context_length": 64})


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
    (tmp_path / "exported" / "notes.md").write_text("my model")
    with pytest.raises(ModelError, match=r"notes\.md"):
        export_checkpoint(run, tmp_path / "exported")
    assert (tmp_path / "exported" / "notes.md").read_text() == "my model"


def test_a_model_card_that_a_person_edited_is_not_lost(run: Path, tmp_path: Path) -> None:
    export_checkpoint(run, tmp_path / "exported")
    edited = tmp_path / "exported" / "README.md"
    edited.write_text(edited.read_text().replace("Not stated.", "CC BY 4.0."))
    with pytest.raises(ModelError, match=r"README\.md: is not as an export wrote it"):
        export_checkpoint(run, tmp_path / "exported")
    assert "CC BY 4.0." in edited.read_text()


def test_the_model_card_says_what_the_checkpoint_records(tmp_path: Path, tokenizer: Tokenizer) -> None:
    with writing(tmp_path / "run", 7) as folder:
        save_weights(folder, CONFIG, GPT(CONFIG).state_dict())
        tokenizer.save(folder / TOKENIZER_FOLDER)
        recorded = {
            "configuration": {"output": "runs/harbour", "seed": 3},
            "progress": {"step": 7, "tokens": 12_345},
            "fingerprints": ["abc123"],
            "tokenizer_sha256": tokenizer.digest,
        }
        (folder / TRAINING_FILE).write_text(json.dumps(recorded))
        commit(folder, 7, validation=1.25, permanent=False)
    export_checkpoint(tmp_path / "run", tmp_path / "exported")
    text = (tmp_path / "exported" / "README.md").read_text()
    for told in (
        "# harbour\n",
        "abc123",
        tokenizer.digest,
        "| Steps | 7 |",
        "12,345",
        "1.2500",
        "Qwen3ForCausalLM",
        "## Licence",
    ):
        assert told in text, told
    assert text.startswith("---\nlibrary_name: transformers\n")


def test_the_permissions_of_all_files_follow_the_umask(tmp_path: Path, tokenizer: Tokenizer) -> None:
    before = os.umask(0o027)
    try:
        write_checkpoint(tmp_path / "run", GPT(CONFIG), tokenizer)
        export_checkpoint(tmp_path / "run", tmp_path / "exported")
    finally:
        os.umask(before)
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert {path.name for path in files if path.stat().st_mode & 0o777 != 0o640} == set()
    assert len([path for path in files if path.suffix == ".safetensors"]) == 2


@pytest.mark.parametrize("config", [CONFIG, GPT2], ids=["rotary", "learned positions"])
@pytest.mark.parametrize("kind", ["sentencepiece", "bytes"])
def test_what_the_tokenizer_returns_is_what_the_model_takes(kind: str, config: ModelConfig, tmp_path: Path) -> None:
    tokenizer = small_tokenizer(kind)
    torch.manual_seed(0)
    write_checkpoint(tmp_path / "run", GPT(config.model_copy(update={"vocabulary_size": tokenizer.vocabulary_size})), tokenizer)
    export_checkpoint(tmp_path / "run", tmp_path / "exported")
    theirs = transformers.AutoTokenizer.from_pretrained(tmp_path / "exported")
    model: Any = transformers.AutoModelForCausalLM.from_pretrained(tmp_path / "exported").eval()
    texts = ["吾輩は猫である。", "名前", "fox"]
    alone = [theirs(text, return_tensors="pt") for text in texts]
    assert list(alone[0]) == ["input_ids", "attention_mask"]
    assert theirs.pad_token_id == theirs.eos_token_id == tokenizer.delimiter_id
    assert theirs.model_max_length == config.context_length
    batch = theirs(texts, padding=True, return_tensors="pt")
    with torch.no_grad():
        padded = model(**batch).logits
        for row, (mask, single) in enumerate(zip(batch.attention_mask.bool(), alone, strict=True)):
            torch.testing.assert_close(padded[row, mask], model(**single).logits[0], rtol=0, atol=1e-4)
    assert model.generate(**alone[0], max_new_tokens=3, do_sample=False).shape[1] > alone[0].input_ids.shape[1]
    if config.positions == "rotary":
        continued = model.generate(**batch, max_new_tokens=3, do_sample=False)
        for row, single in enumerate(alone):
            new = model.generate(**single, max_new_tokens=3, do_sample=False)[0, single.input_ids.shape[1] :]
            assert continued[row, batch.input_ids.shape[1] :][: len(new)].tolist() == new.tolist()


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


def test_the_names_of_a_checkpoints_files_are_the_trainers() -> None:
    assert (card.CHECKPOINT_FILE, card.TRAINING_FILE) == (CHECKPOINT_FILE, TRAINING_FILE)


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
    assert sorted(everything(tmp_path / "exported")) == [
        "README.md",
        "config.json",
        "generation_config.json",
        "model.safetensors",
    ]
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
