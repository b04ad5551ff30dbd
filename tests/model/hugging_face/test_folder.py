"""Hugging Face folders in both directions, compared with transformers itself."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from safetensors.torch import load_file, save_file

from model.config import ModelConfig, ModelError
from model.gpt import GPT
from model.hugging_face.folder import read_hugging_face, write_hugging_face
from model.hugging_face.forms import FORMS as HUGGING_FACE_FORMS
from model.hugging_face.forms import Form
from model.presets import PRESETS
from tests.model.test_gpt import TINY, TINY_GPT2

LLAMA = TINY.model_copy(update={"query_key_norm": False})
FORMS = {
    "gpt2": TINY_GPT2,
    "gpt2 tied, query biases": TINY_GPT2.model_copy(update={"tie_embeddings": True, "query_key_value_bias": True}),
    "gpt2 without biases": TINY_GPT2.model_copy(update={"projection_bias": False, "dropout": 0.0}),
    "llama": LLAMA,
    "llama untied, all biases, dropout": LLAMA.model_copy(
        update={"tie_embeddings": False, "query_key_value_bias": True, "projection_bias": True, "dropout": 0.1}
    ),
    "llama, query biases, another base": LLAMA.model_copy(
        update={"query_key_value_bias": True, "rotary_base": 500_000.0, "normalization_epsilon": 1e-3}
    ),
    "qwen3": TINY,
    "llama, linear scaling": LLAMA.model_copy(update={"rotary_scaling": "linear", "rotary_factor": 2.0}),
    "llama, llama3 scaling": LLAMA.model_copy(
        update={"rotary_scaling": "llama3", "rotary_factor": 8.0, "rotary_base": 5e5, "rotary_original_context": 64}
    ),
    "qwen3 untied": TINY.model_copy(update={"tie_embeddings": False}),
}
TOKENS_BT = torch.randint(0, 50, (2, 16), generator=torch.Generator().manual_seed(0))


def random_model(config: ModelConfig) -> GPT:
    """A model with random norms and biases too: the initial 0 and 1 would hide mistakes."""
    model = GPT(config)
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.normal_(0.1, 0.3, generator=generator)
    return model


def logits(model: Any) -> torch.Tensor:
    with torch.no_grad():
        result: torch.Tensor = model.logits(TOKENS_BT) if isinstance(model, GPT) else model(TOKENS_BT).logits
    return result


def exported(folder: Path, config: ModelConfig = LLAMA) -> GPT:
    model = random_model(config)
    write_hugging_face(model, folder)
    return model


def edit(path: Path, **changes: Any) -> None:
    content = json.loads(path.read_text()) | changes
    path.write_text(json.dumps({key: value for key, value in content.items() if value != "absent"}))


def equal(first: Mapping[str, torch.Tensor], second: Mapping[str, torch.Tensor]) -> bool:
    return first.keys() == second.keys() and all(torch.equal(first[name], second[name]) for name in first)


@pytest.mark.parametrize("config", FORMS.values(), ids=FORMS.keys())
def test_transformers_computes_the_same_logits_and_reading_back_is_the_identity(config: ModelConfig, tmp_path: Path) -> None:
    model = exported(tmp_path, config)
    loader: Any = transformers.AutoModelForCausalLM  # its types lack the result that the flag adds
    theirs, loading = loader.from_pretrained(tmp_path, output_loading_info=True)
    assert not any(loading.values()), loading
    torch.testing.assert_close(logits(theirs), logits(model), rtol=0, atol=1e-4)
    again = read_hugging_face(tmp_path)
    assert again.config == config
    assert equal(again.state_dict(), model.state_dict())
    assert all(parameter.requires_grad for parameter in again.parameters())


@pytest.mark.parametrize("config", FORMS.values(), ids=FORMS.keys())
def test_without_our_key_it_is_still_the_same_function(config: ModelConfig, tmp_path: Path) -> None:
    model = exported(tmp_path, config)
    edit(tmp_path / "config.json", kotokura="absent")
    torch.testing.assert_close(logits(read_hugging_face(tmp_path)), logits(model), rtol=0, atol=1e-5)


@pytest.mark.parametrize("tied", [True, False])
def test_a_tied_head_is_a_flag_and_no_tensor(tied: bool, tmp_path: Path) -> None:
    exported(tmp_path, LLAMA.model_copy(update={"tie_embeddings": tied}))
    assert json.loads((tmp_path / "config.json").read_text())["tie_word_embeddings"] is tied
    assert ("lm_head.weight" in load_file(tmp_path / "model.safetensors")) is not tied


SMALL: dict[str, Any] = {"vocab_size": 50, "bos_token_id": 0, "eos_token_id": 0}
SMALL_LLAMA = SMALL | {"hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 4}
THEIRS: dict[str, Callable[[], transformers.PretrainedConfig]] = {
    "gpt2": lambda: transformers.GPT2Config(**SMALL, n_positions=16, n_embd=32, n_layer=2, n_head=4, attn_pdrop=0.0),
    "llama": lambda: transformers.LlamaConfig(
        **SMALL_LLAMA,
        num_key_value_heads=2,
        attention_bias=True,
        rope_parameters={"rope_type": "default", "rope_theta": 5e5},
    ),
    "llama 3.1": lambda: transformers.LlamaConfig(
        **SMALL_LLAMA,
        rope_parameters={
            "rope_type": "llama3",
            "rope_theta": 5e5,
            "factor": 8.0,
            "low_freq_factor": 1.0,
            "high_freq_factor": 4.0,
            "original_max_position_embeddings": 64,
        },
    ),
    "qwen2": lambda: transformers.Qwen2Config(**SMALL_LLAMA, num_key_value_heads=2),
    "mistral": lambda: transformers.MistralConfig(**SMALL_LLAMA, num_key_value_heads=2, max_position_embeddings=4096),
    "qwen3": lambda: transformers.Qwen3Config(**SMALL_LLAMA, num_key_value_heads=4, head_dim=8, tie_word_embeddings=True),
}


@pytest.mark.parametrize("form", THEIRS)
@pytest.mark.parametrize("files", ["one", "several"])
def test_a_model_that_transformers_made_gives_its_logits(form: str, files: str, tmp_path: Path) -> None:
    torch.manual_seed(2)
    auto: Any = transformers.AutoModelForCausalLM  # its method is untyped
    theirs = auto.from_config(THEIRS[form]()).eval()
    with torch.no_grad():
        for parameter in theirs.parameters():
            parameter.normal_(0.1, 0.3)
    theirs.save_pretrained(tmp_path, max_shard_size="8KB" if files == "several" else "1GB")
    assert (tmp_path / "model.safetensors.index.json").exists() == (files == "several")
    model = read_hugging_face(tmp_path)
    torch.testing.assert_close(logits(model), logits(theirs), rtol=0, atol=1e-4)
    assert model.config.rotary_base == (5e5 if form.startswith("llama") else 1e4)
    assert model.config.dropout == 0


@pytest.mark.parametrize("form", HUGGING_FACE_FORMS.values(), ids=HUGGING_FACE_FORMS.keys())
def test_an_absent_key_means_what_transformers_takes_it_for(form: Form) -> None:
    theirs = transformers.AutoConfig.for_model(form.model_type).to_dict()
    theirs.update(theirs.get("rope_parameters") or {})
    for key, value in form.defaults.items():
        if value is not None:  # None is derived from another key
            assert theirs[key] == value, key


def test_names_without_prefix_stored_masks_and_half_precision_are_read(tmp_path: Path) -> None:
    # The published file of GPT-2 is like this.
    exported(tmp_path, FORMS["gpt2 tied, query biases"])
    path = tmp_path / "model.safetensors"
    stored = {name.removeprefix("transformer."): tensor.bfloat16() for name, tensor in load_file(path).items()}
    save_file({**stored, "h.0.attn.bias": torch.ones(1, 1, 16, 16, dtype=torch.uint8)}, path)
    model = read_hugging_face(tmp_path)
    assert torch.equal(model.head_VE, stored["wte.weight"].float())
    assert model.head_VE.dtype == torch.float32


def test_a_model_changed_by_transformers_is_no_longer_what_our_key_says(tmp_path: Path) -> None:
    exported(tmp_path, FORMS["gpt2 without biases"])
    theirs: Any = transformers.AutoModelForCausalLM.from_pretrained(tmp_path)
    with torch.no_grad():
        theirs.transformer.h[0].attn.c_attn.bias.fill_(0.5)
    theirs.save_pretrained(tmp_path / "biased")
    theirs.resize_token_embeddings(60)
    theirs.save_pretrained(tmp_path / "resized")
    for name, rows in (("biased", 50), ("resized", 60)):
        assert "kotokura" in json.loads((tmp_path / name / "config.json").read_text())
        model = read_hugging_face(tmp_path / name)
        assert model.config.query_key_value_bias
        assert model.config.vocabulary_size == rows
        torch.testing.assert_close(logits(model)[..., :50], logits(theirs)[..., :50], rtol=0, atol=1e-4)


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"model_type": "mamba"}, "model_type is 'mamba'; supported are gpt2, llama, qwen3, qwen2, mistral"),
        ({"hidden_act": "gelu"}, "hidden_act is 'gelu'"),
        ({"rope_scaling": {"rope_type": "dynamic", "factor": 2.0}}, "rope_type is 'dynamic'; .* 'linear', 'llama3'"),
        ({"rope_scaling": {"rope_type": "llama3", "factor": 2.0}}, "low_freq_factor is missing"),
        ({"sliding_window": 8}, "sliding_window is 8, less than max_position_embeddings"),
        ({"rope_scaling": {"type": "yarn", "factor": 2.0}}, "rope_type is 'yarn'"),
        ({"rope_parameters": {"full_attention": {"rope_theta": 1e4}}}, "full_attention"),
        ({"layer_types": ["full_attention", "sliding_attention"]}, "layer_types has 'sliding_attention'"),
        ({"quantization_config": {"bits": 4}}, "quantization_config"),
        ({"head_dim": 16}, "head_dim is 16"),
        ({"num_hidden_layers": "absent"}, "num_hidden_layers is missing"),
        ({"num_attention_heads": 5}, "not divisible by heads 5"),
        ({"num_hidden_layers": 1}, "describes it has no tensor model.layers.1"),
        ({"num_hidden_layers": 3}, "tensors are missing, such as model.layers.2"),
        ({"vocab_size": 49}, r"model.embed_tokens.weight has shape \[50, 32\], but config.json implies \[49, 32\]"),
    ],
)
def test_what_a_gpt_cannot_follow_is_named(changes: dict[str, Any], named: str, tmp_path: Path) -> None:
    exported(tmp_path)
    edit(tmp_path / "config.json", **changes)
    with pytest.raises(ModelError, match=named):
        read_hugging_face(tmp_path)


def test_sliding_windows_of_qwen3_are_named(tmp_path: Path) -> None:
    exported(tmp_path, TINY)
    edit(tmp_path / "config.json", use_sliding_window=True, sliding_window=8)
    with pytest.raises(ModelError, match="sliding_window is 8, less than max_position_embeddings"):
        read_hugging_face(tmp_path)


def test_pickled_weights_are_refused_with_a_way_to_convert_them(tmp_path: Path) -> None:
    exported(tmp_path)
    (tmp_path / "model.safetensors").rename(tmp_path / "pytorch_model.bin")
    with pytest.raises(ModelError, match=r"pytorch_model\.bin: reading pickled weights .*save_pretrained"):
        read_hugging_face(tmp_path)


def test_damaged_and_missing_files_are_named(tmp_path: Path) -> None:
    exported(tmp_path)
    path = tmp_path / "model.safetensors"
    whole = path.read_bytes()
    path.write_bytes(whole[:-100])
    with pytest.raises(ModelError, match=r"model\.safetensors: cannot be read"):
        read_hugging_face(tmp_path)
    path.unlink()
    with pytest.raises(ModelError, match=r"model\.safetensors: cannot be read"):
        read_hugging_face(tmp_path)
    (tmp_path / "config.json").write_text("[]")
    with pytest.raises(ModelError, match=r"config\.json: is not a JSON object"):
        read_hugging_face(tmp_path)
    (tmp_path / "config.json").unlink()
    with pytest.raises(ModelError, match=r"config\.json: cannot be read"):
        read_hugging_face(tmp_path)


def test_weights_in_whole_numbers_and_a_second_head_are_refused(tmp_path: Path) -> None:
    exported(tmp_path)
    path = tmp_path / "model.safetensors"
    stored = load_file(path)
    save_file({**stored, "lm_head.weight": stored["model.embed_tokens.weight"].clone()}, path)
    read_hugging_face(tmp_path)  # a copy of the embedding does no harm
    save_file({**stored, "lm_head.weight": stored["model.embed_tokens.weight"] + 1}, path)
    with pytest.raises(ModelError, match="tie_word_embeddings"):
        read_hugging_face(tmp_path)
    save_file({**stored, "model.norm.weight": torch.ones(32, dtype=torch.int8)}, path)
    with pytest.raises(ModelError, match=r"model\.norm\.weight is torch\.int8"):
        read_hugging_face(tmp_path)


@pytest.mark.parametrize(
    ("config", "named"),
    [
        (TINY.model_copy(update={"positions": "learned"}), "Qwen3ForCausalLM would need positions 'rotary' instead of 'learned'"),
        (TINY.model_copy(update={"projection_bias": True}), "Qwen3ForCausalLM would need projection_bias False instead of True"),
        (TINY_GPT2.model_copy(update={"key_value_heads": 2}), "GPT2LMHeadModel would need key_value_heads 4 instead of 2"),
    ],
)
def test_a_model_that_no_class_can_express_is_refused_by_its_key(config: ModelConfig, named: str, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=named):
        write_hugging_face(GPT(config), tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_every_preset_can_be_expressed(tmp_path: Path) -> None:
    small = {"vocabulary_size": 8, "width": 16, "layers": 1, "heads": 2, "key_value_heads": 2, "feed_forward_width": 8}
    for values in PRESETS.values():
        config = ModelConfig(**{**values, **small})
        exported(tmp_path, config)
        assert read_hugging_face(tmp_path).config == config
