"""Models on disk: read back bit for bit, and every kind of damage reported."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from model.config import ModelConfig, ModelError
from model.gpt import GPT
from model.weights import load_model, load_weights, read_config, save_weights
from tests.model.checkpoint_folders import files_of_at_most
from tests.model.test_gpt import TINY, TINY_GPT2


def saved(folder: Path, config: ModelConfig = TINY) -> GPT:
    model = GPT(config)
    save_weights(folder, config, model.state_dict())
    return model


@pytest.mark.parametrize("config", [TINY, TINY_GPT2], ids=["tied", "untied"])
def test_a_model_reads_back_to_the_bit(config: ModelConfig, tmp_path: Path) -> None:
    model, again = saved(tmp_path, config), load_model(tmp_path)
    assert again.config == config
    assert again.state_dict().keys() == model.state_dict().keys()
    assert all(torch.equal(tensor, again.state_dict()[name]) for name, tensor in model.state_dict().items())
    assert ("head.weight" in load_file(tmp_path / "model.safetensors")) is not config.tie_embeddings


def test_weights_in_memory_that_is_not_in_a_row_are_written_as_they_are(tmp_path: Path) -> None:
    model = GPT(TINY)
    turned = {name: tensor.T.contiguous().T if tensor.ndim == 2 else tensor for name, tensor in model.state_dict().items()}
    save_weights(tmp_path, TINY, turned)
    assert torch.equal(load_model(tmp_path).head_VE, model.head_VE)


def test_a_tensor_that_is_missing_unknown_or_of_another_shape_is_named(tmp_path: Path) -> None:
    model = saved(tmp_path)
    path = tmp_path / "model.safetensors"
    weights = load_file(path)
    for changed, named in (
        ({name: tensor for name, tensor in weights.items() if name != "norm.weight"}, "norm.weight"),
        ({**weights, "extra.weight": torch.ones(2)}, "extra.weight"),
        ({**weights, "norm.weight": torch.ones(3)}, "norm.weight"),
    ):
        save_file(changed, path)
        with pytest.raises(ModelError, match=named) as caught:
            load_weights(tmp_path, model)
        assert str(path) in str(caught.value)


def test_files_that_are_missing_or_damaged_are_named(tmp_path: Path) -> None:
    saved(tmp_path)
    path = tmp_path / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(ModelError, match=r"model\.safetensors: cannot be read"):
        load_model(tmp_path)
    path.unlink()
    with pytest.raises(ModelError, match=r"model\.safetensors: cannot be read"):
        load_model(tmp_path)
    for content in ("{", "[]", '{"vocabulary_size": 0}', "\x00"):
        (tmp_path / "model.json").write_text(content)
        with pytest.raises(ModelError, match=r"model\.json: is not a valid model configuration"):
            read_config(tmp_path)
    (tmp_path / "model.json").unlink()
    with pytest.raises(ModelError, match=r"model\.json is missing"):
        read_config(tmp_path)


def test_a_full_disk_is_an_error_of_the_system(tmp_path: Path) -> None:
    with files_of_at_most(10_000), pytest.raises(OSError, match=r"model\.safetensors"):
        saved(tmp_path)
