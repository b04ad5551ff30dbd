"""Models as Hugging Face folders: `config.json` and `model.safetensors`, which transformers reads and writes.

A key of our own in `config.json` holds the ModelConfig, so that reading an export back gives the same model. Weights are
written to one file of any size; other programs' folders may have several files with an index. Pickled weights can run programs
and are never read.
"""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from pydantic import ValidationError
from safetensors import SafetensorError, safe_open
from torch import Tensor

from model.config import ModelConfig, ModelError
from model.gpt import GPT
from model.hugging_face.forms import FORMS, HEAD, Form, config_of, content_of, form_for, tensors_of
from model.tensor_file import write_tensors

CONFIG_FILE = "config.json"
GENERATION_FILE = "generation_config.json"
WEIGHTS_FILE = "model.safetensors"
OWN_KEY = "kotokura"  # of config.json: the ModelConfig
_INDEX_FILE = "model.safetensors.index.json"
# Masks and frequencies that older versions of transformers stored with the weights.
_BUFFERS = (".attn.bias", ".attn.masked_bias", ".rotary_emb.inv_freq")


def write_hugging_face(model: GPT, folder: Path, delimiter_id: int | None = None) -> str:
    """Write `model` into an existing folder for `AutoModelForCausalLM` to load, and return the name of its class.

    The files are `config.json`, `generation_config.json` and `model.safetensors`. Biases that the class has and the model lacks
    are written as zeros. delimiter_id: the token that begins and ends texts. Raises ModelError for a model that no class can
    express, and OSError if the disk is full.
    """
    form = form_for(model.config)
    content = content_of(form, model.config)
    weights = model.state_dict()
    tensors = {}
    for name, ours, transposed in tensors_of(form, model.config, content):
        joined = torch.cat([weights[our] if our in weights else _no_bias(weights, our) for our in ours])
        tensors[name] = joined.T if transposed else joined
    tokens = {"bos_token_id": delimiter_id, "eos_token_id": delimiter_id}
    dtype = str(model.head_VE.dtype).removeprefix("torch.")
    _write_json(folder / CONFIG_FILE, {**content, **tokens, "dtype": dtype, OWN_KEY: model.config.model_dump()})
    # config.json gets no pad_token_id: transformers' embedding would keep that row's gradient at zero, and it is the delimiter's.
    _write_json(folder / GENERATION_FILE, {**tokens, "pad_token_id": delimiter_id})
    write_tensors(folder / WEIGHTS_FILE, tensors, {"format": "pt"})  # transformers requires the metadata
    return form.architecture


def _no_bias(weights: Mapping[str, Tensor], name: str) -> Tensor:
    matrix = weights[name.removesuffix("bias") + "weight"]
    return matrix.new_zeros(matrix.shape[0])


def read_hugging_face(folder: Path) -> GPT:
    """Return the model in `folder`, of this or another program, in fp32 on the CPU. Our own export gives the same model.

    Raises ModelError for files that are missing, damaged or pickled, and for models that a GPT cannot express.
    """
    path = folder / CONFIG_FILE
    content = _read_json(path)
    form = FORMS.get(str(content.get("model_type")))
    if form is None:
        raise ModelError(f"{path}: model_type is {content.get('model_type')!r}; supported are {', '.join(FORMS)}")
    try:
        config = config_of(form, content)
    except ModelError as error:
        raise ModelError(f"{path}: {error}") from error
    with torch.device("meta"):  # no time for initial values that are overwritten
        model = GPT(config)
    model.to_empty(device="cpu")
    _fill(model, folder, form, content)
    return _as_described(model, form, content.get(OWN_KEY))


def _as_described(model: GPT, form: Form, description: Any) -> GPT:
    """Return the same weights under the ModelConfig `description`, if it still fits them.

    Other programs keep our key in `config.json` when they change the model.
    """
    try:
        config = ModelConfig.model_validate(description)
        if form_for(config) is not form or config_of(form, content_of(form, config)) != model.config:
            return model
    except (ValidationError, ModelError):
        return model
    with torch.device("meta"):
        described = GPT(config)
    weights = model.state_dict()
    lacking = [weights.pop(name) for name in weights.keys() - described.state_dict().keys()]
    if any(tensor.count_nonzero() for tensor in lacking):
        return model
    described.load_state_dict(weights, assign=True)
    return described


def _fill(model: GPT, folder: Path, form: Form, content: Mapping[str, Any]) -> None:
    """Set all weights of `model` to those in `folder`; biases that its class lacks become zeros."""
    weights: dict[str, Tensor] = model.state_dict()
    for name, tensor in weights.items():
        if name.endswith("bias"):
            tensor.zero_()
    expected = {name: (ours, transposed) for name, ours, transposed in tensors_of(form, model.config, content)}
    missing = set(expected)
    duplicate = None
    for path, stored_name, tensor in _stored(folder):
        if stored_name.endswith(_BUFFERS):
            continue
        # A model saved without a head has names without the prefix.
        name = stored_name if stored_name.startswith((form.prefix, f"{HEAD}.")) else form.prefix + stored_name
        if name == f"{HEAD}.weight" and model.head is None:
            duplicate = tensor
            continue
        if name not in expected:
            raise ModelError(f"{path}: {form.architecture} as {CONFIG_FILE} describes it has no tensor {stored_name}")
        if not tensor.is_floating_point():
            raise ModelError(f"{path}: {stored_name} is {tensor.dtype}; only weights that are not quantized can be read")
        ours, transposed = expected[name]
        _place(tensor, [weights[our] for our in ours], transposed, f"{path}: {stored_name}")
        missing.discard(name)
    if missing:
        raise ModelError(f"{folder}: {len(missing)} tensors are missing, such as {min(missing)}; copy the weights again")
    if duplicate is not None and not torch.equal(duplicate.float(), model.head_VE):
        raise ModelError(f"{folder}: tie_word_embeddings is true, but {HEAD}.weight differs from the embedding; set it to false")


def _place(tensor: Tensor, targets: list[Tensor], transposed: bool, name: str) -> None:
    """Copy the rows of `tensor` into `targets`, one target after the other."""
    heights = [len(target) for target in targets]
    shape = [sum(heights), *targets[0].shape[1:]]
    shape = shape[::-1] if transposed else shape
    if list(tensor.shape) != shape:
        raise ModelError(f"{name} has shape {list(tensor.shape)}, but {CONFIG_FILE} implies {shape}")
    for target, rows in zip(targets, (tensor.T if transposed else tensor).split(heights), strict=True):
        target.copy_(rows)


def _stored(folder: Path) -> Iterator[tuple[Path, str, Tensor]]:
    """Yield all tensors in `folder`, with their files and names."""
    pickled = sorted(path for path in folder.iterdir() if path.suffix in (".bin", ".pt", ".pth"))
    files = [WEIGHTS_FILE]
    if not (folder / WEIGHTS_FILE).exists():
        if (folder / _INDEX_FILE).exists():
            files = sorted(set(_read_json(folder / _INDEX_FILE).get("weight_map", {}).values()))
        elif pickled:
            raise ModelError(
                f"{pickled[0]}: reading pickled weights can run programs; on a machine that you can afford to lose, have "
                "transformers write safetensors: AutoModelForCausalLM.from_pretrained(FOLDER).save_pretrained(OTHER)"
            )
    for file in files:
        try:
            with safe_open(folder / file, framework="pt") as stream:
                names = stream.keys()
                for name in names:
                    yield folder / file, name, stream.get_tensor(name)
        except (OSError, SafetensorError) as error:
            raise ModelError(f"{folder / file}: cannot be read ({error}); copy the weights again") from error


def _read_json(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ModelError(f"{path}: cannot be read ({error}); give the folder of a model that transformers can load") from error
    if not isinstance(content, dict):
        raise ModelError(f"{path}: is not a JSON object; give the folder of a model that transformers can load")
    return content


def _write_json(path: Path, content: Mapping[str, Any]) -> None:
    path.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
