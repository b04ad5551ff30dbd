"""How classes of transformers name the parts of a GPT, and which models they can express.

GPT2LMHeadModel, LlamaForCausalLM, Qwen2ForCausalLM (Llama with biases of queries, keys and values), Qwen3ForCausalLM (Llama with
norms on queries and keys) and MistralForCausalLM (Llama with a sliding window) compute what a GPT here can compute. A window is
accepted if the context fits into it. Names and defaults are those of transformers 4.57 and 5 (src/transformers/models); the
library itself is not needed.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from model.config import ModelConfig, ModelError

HEAD = "lm_head"  # absent if it is tied to the embedding
# The ModelConfig key that gives a module its bias, by the last part of the module's name.
_BIAS_KEYS = {
    **dict.fromkeys(("query", "key", "value"), "query_key_value_bias"),
    **dict.fromkeys(("output", "gate", "up", "down"), "projection_bias"),
}


class Part(NamedTuple):
    """A module of theirs, and our modules whose rows it holds one after the other; `{}` is the layer.

    bias: whether theirs has one, or the key of config.json that says so. transposed: its matrix is (inputs, outputs).
    """

    theirs: str
    ours: tuple[str, ...]
    bias: bool | str = False
    transposed: bool = False


@dataclass(frozen=True)
class Form:
    """A class of transformers.

    prefix: of all names except the head's. fixed: what a ModelConfig must have to be expressed. keys: from ModelConfig's to
    theirs; if there are several, the smallest value counts. defaults: values of absent keys. only: keys with the values for
    which the class computes what a GPT computes; the first value is written.
    """

    architecture: str
    model_type: str
    prefix: str
    fixed: Mapping[str, Any]
    keys: Mapping[str, tuple[str, ...]]
    defaults: Mapping[str, Any]
    only: Mapping[str, tuple[Any, ...]]
    parts: tuple[Part, ...]


_ATTENTION, _FEED_FORWARD = "blocks.{}.attention.", "blocks.{}.feed_forward."

_GPT2 = Form(
    architecture="GPT2LMHeadModel",
    model_type="gpt2",
    prefix="transformer.",
    fixed={"normalization": "layer_norm", "positions": "learned", "feed_forward": "gelu", "query_key_norm": False},
    keys={
        "vocabulary_size": ("vocab_size",),
        "context_length": ("n_positions",),
        "width": ("n_embd",),
        "layers": ("n_layer",),
        "heads": ("n_head",),
        "feed_forward_width": ("n_inner",),
        "normalization_epsilon": ("layer_norm_epsilon",),
        "tie_embeddings": ("tie_word_embeddings",),
        # A GPT has one dropout probability for all places. It does not change what the model computes.
        "dropout": ("resid_pdrop", "embd_pdrop", "attn_pdrop"),
    },
    defaults={
        "n_inner": None,
        "layer_norm_epsilon": 1e-5,
        "tie_word_embeddings": True,
        **dict.fromkeys(("resid_pdrop", "embd_pdrop", "attn_pdrop"), 0.1),
    },
    only={
        "activation_function": ("gelu_new", "gelu_pytorch_tanh"),  # two names of one formula
        "scale_attn_weights": (True,),
        "scale_attn_by_inverse_layer_idx": (False,),
        "add_cross_attention": (False,),
    },
    parts=(
        Part("transformer.wte", ("token_embedding",)),
        Part("transformer.wpe", ("position_embedding",)),
        Part("transformer.h.{}.ln_1", ("blocks.{}.attention_norm",), True),
        Part("transformer.h.{}.attn.c_attn", (f"{_ATTENTION}query", f"{_ATTENTION}key", f"{_ATTENTION}value"), True, True),
        Part("transformer.h.{}.attn.c_proj", (f"{_ATTENTION}output",), True, True),
        Part("transformer.h.{}.ln_2", ("blocks.{}.feed_forward_norm",), True),
        Part("transformer.h.{}.mlp.c_fc", (f"{_FEED_FORWARD}up",), True, True),
        Part("transformer.h.{}.mlp.c_proj", (f"{_FEED_FORWARD}down",), True, True),
        Part("transformer.ln_f", ("norm",), True),
        Part(HEAD, ("head",)),
    ),
)

_LLAMA = Form(
    architecture="LlamaForCausalLM",
    model_type="llama",
    prefix="model.",
    fixed={"normalization": "rms_norm", "positions": "rotary", "feed_forward": "swiglu", "query_key_norm": False},
    keys={
        "vocabulary_size": ("vocab_size",),
        "context_length": ("max_position_embeddings",),
        "width": ("hidden_size",),
        "layers": ("num_hidden_layers",),
        "heads": ("num_attention_heads",),
        "key_value_heads": ("num_key_value_heads",),
        "feed_forward_width": ("intermediate_size",),
        "normalization_epsilon": ("rms_norm_eps",),
        "rotary_base": ("rope_theta",),
        "tie_embeddings": ("tie_word_embeddings",),
    },
    defaults={"num_key_value_heads": None, "rms_norm_eps": 1e-6, "rope_theta": 10_000.0, "tie_word_embeddings": False},
    only={"hidden_act": ("silu", "swish")},  # two names of one function
    parts=(
        Part("model.embed_tokens", ("token_embedding",)),
        Part("model.layers.{}.input_layernorm", ("blocks.{}.attention_norm",)),
        Part("model.layers.{}.self_attn.q_proj", (f"{_ATTENTION}query",), "attention_bias"),
        Part("model.layers.{}.self_attn.k_proj", (f"{_ATTENTION}key",), "attention_bias"),
        Part("model.layers.{}.self_attn.v_proj", (f"{_ATTENTION}value",), "attention_bias"),
        Part("model.layers.{}.self_attn.o_proj", (f"{_ATTENTION}output",), "attention_bias"),
        Part("model.layers.{}.post_attention_layernorm", ("blocks.{}.feed_forward_norm",)),
        Part("model.layers.{}.mlp.gate_proj", (f"{_FEED_FORWARD}gate",), "mlp_bias"),
        Part("model.layers.{}.mlp.up_proj", (f"{_FEED_FORWARD}up",), "mlp_bias"),
        Part("model.layers.{}.mlp.down_proj", (f"{_FEED_FORWARD}down",), "mlp_bias"),
        Part("model.norm", ("norm",)),
        Part(HEAD, ("head",)),
    ),
)

_QWEN3 = Form(
    architecture="Qwen3ForCausalLM",
    model_type="qwen3",
    prefix="model.",
    fixed={**_LLAMA.fixed, "query_key_norm": True, "projection_bias": False},
    keys=_LLAMA.keys,
    defaults={**_LLAMA.defaults, "num_key_value_heads": 32, "head_dim": 128},
    only=_LLAMA.only,
    parts=(
        *(part._replace(bias=False) if part.bias == "mlp_bias" else part for part in _LLAMA.parts),
        Part("model.layers.{}.self_attn.q_norm", (f"{_ATTENTION}query_norm",)),
        Part("model.layers.{}.self_attn.k_norm", (f"{_ATTENTION}key_norm",)),
    ),
)

_QWEN2 = Form(
    architecture="Qwen2ForCausalLM",
    model_type="qwen2",
    prefix="model.",
    fixed={**_LLAMA.fixed, "query_key_value_bias": True, "projection_bias": False},
    keys=_LLAMA.keys,
    defaults={**_LLAMA.defaults, "num_key_value_heads": 32},
    only=_LLAMA.only,
    parts=tuple(
        part._replace(bias=part.theirs.endswith(("q_proj", "k_proj", "v_proj"))) if part.bias else part for part in _LLAMA.parts
    ),
)

_MISTRAL = Form(
    architecture="MistralForCausalLM",
    model_type="mistral",
    prefix="model.",
    fixed={**_LLAMA.fixed, "query_key_value_bias": False, "projection_bias": False},
    keys=_LLAMA.keys,
    defaults={**_LLAMA.defaults, "num_key_value_heads": 8, "sliding_window": 4096},
    only=_LLAMA.only,
    parts=tuple(part._replace(bias=False) for part in _LLAMA.parts),
)

# The first that can express a model is written.
FORMS = {form.model_type: form for form in (_GPT2, _LLAMA, _QWEN3, _QWEN2, _MISTRAL)}

# Kinds of rotary scaling, and the keys of each from ModelConfig's to theirs.
_SCALING: dict[str, dict[str, str]] = {
    "default": {},
    "linear": {"rotary_factor": "factor"},
    "llama3": {
        "rotary_factor": "factor",
        "rotary_low_frequency_factor": "low_freq_factor",
        "rotary_high_frequency_factor": "high_freq_factor",
        "rotary_original_context": "original_max_position_embeddings",
    },
}


def form_for(config: ModelConfig) -> Form:
    """Return the class that can express `config`. Raises ModelError with the closest classes and what they would need."""
    obstacles = {}
    for form in FORMS.values():
        required = {"key_value_heads": config.heads} if "key_value_heads" not in form.keys else {}
        required.update(form.fixed)
        wrong = {key: value for key, value in required.items() if getattr(config, key) != value}
        if not wrong:
            return form
        obstacles[form.architecture] = wrong
    fewest = min(map(len, obstacles.values()))
    nearest = [
        f"{name} would need {', '.join(f'{key} {value!r} instead of {getattr(config, key)!r}' for key, value in wrong.items())}"
        for name, wrong in obstacles.items()
        if len(wrong) == fewest
    ]
    raise ModelError(f"no class of transformers can express this model: {'; '.join(nearest)}")


def content_of(form: Form, config: ModelConfig) -> dict[str, Any]:
    """Return the part of `config.json` that describes the model `config`."""
    content: dict[str, Any] = {"architectures": [form.architecture], "model_type": form.model_type}
    content.update({key: allowed[0] for key, allowed in form.only.items()})
    content.update({their: getattr(config, our) for our, theirs in form.keys.items() for their in theirs})
    if config.positions == "rotary":
        content["head_dim"] = config.head_width
    if config.rotary_scaling != "none":
        scaling = {their: getattr(config, our) for our, their in _SCALING[config.rotary_scaling].items()}
        content["rope_scaling"] = {"rope_type": config.rotary_scaling, **scaling}
    for part in form.parts:
        if isinstance(part.bias, str):
            content[part.bias] = content.get(part.bias, False) or any(getattr(config, key) for key in _bias_keys(part))
    return content


def config_of(form: Form, stored: Mapping[str, Any]) -> ModelConfig:
    """Return the model that a `config.json` describes. Raises ModelError for one that a GPT cannot express."""
    # Version 5 stores the rotary base with the kind of scaling, version 4 beside it.
    rotary = stored.get("rope_parameters") or stored.get("rope_scaling") or {}
    content = {**form.defaults, **stored, **rotary, "rope_type": rotary.get("rope_type", rotary.get("type", "default"))}
    _check(form, content, rotary)
    biased = {key: True for part in form.parts if _has_bias(part, content) for key in _bias_keys(part)}
    try:
        values = {our: min(content[their] for their in theirs) for our, theirs in form.keys.items()}
        if values.get("key_value_heads") is None:
            values["key_value_heads"] = values["heads"]
        if values["feed_forward_width"] is None:
            values["feed_forward_width"] = 4 * values["width"]  # GPT-2's rule
        if content["rope_type"] != "default":
            values["rotary_scaling"] = content["rope_type"]
            values.update({our: content[their] for our, their in _SCALING[content["rope_type"]].items()})
        config = ModelConfig(**{**form.fixed, **values, **biased})
    except KeyError as error:
        raise ModelError(f"{error.args[0]} is missing; download the file again") from error
    except (TypeError, ValueError) as error:
        raise ModelError(f"is not a valid model configuration ({' '.join(str(error).split())})") from error
    head_width = content.get("head_dim")
    if config.positions == "rotary" and head_width is not None and head_width != config.head_width:
        raise ModelError(f"head_dim is {head_width}; a GPT's is hidden_size / num_attention_heads, here {config.head_width}")
    return config


def _check(form: Form, content: Mapping[str, Any], rotary: Mapping[str, Any]) -> None:
    """Raise ModelError for a value that makes the class compute what a GPT cannot."""
    limits = {"rope_type": tuple(_SCALING), "partial_rotary_factor": (1.0,), "quantization_config": (None,), **form.only}
    for key, allowed in limits.items():
        if content.get(key, allowed[0]) not in allowed:
            raise ModelError(f"{key} is {content[key]!r}; a GPT supports only {', '.join(map(repr, allowed))}")
    _check_window(content)
    for key, value in rotary.items():
        if isinstance(value, dict):
            raise ModelError(f"rope_parameters differ between layers ({key}); a GPT's layers share one base")
    for kind in content.get("layer_types") or []:
        if kind not in ("full_attention", "sliding_attention"):
            raise ModelError(f"layer_types has {kind!r}; a GPT supports only 'full_attention'")
        if kind == "sliding_attention" and not content.get("sliding_window"):
            raise ModelError("layer_types has 'sliding_attention' without a sliding_window; a GPT supports only 'full_attention'")


def _check_window(content: Mapping[str, Any]) -> None:
    """Raise ModelError for a sliding window that cuts the context; within the window, attention is the same."""
    window, context = content.get("sliding_window"), content.get("max_position_embeddings")
    if content.get("use_sliding_window", True) and window is not None and context is not None and window < context:
        raise ModelError(
            f"sliding_window is {window}, less than max_position_embeddings, {context}; a GPT attends to its whole context. "
            f"Set max_position_embeddings to {window}: up to that length both compute the same"
        )


def _bias_keys(part: Part) -> set[str]:
    """Return the ModelConfig keys on which the biases of a part depend; norms have none."""
    return {_BIAS_KEYS[name] for our in part.ours if (name := our.rpartition(".")[2]) in _BIAS_KEYS}


def _has_bias(part: Part, content: Mapping[str, Any]) -> bool:
    return bool(content.get(part.bias)) if isinstance(part.bias, str) else part.bias


def tensors_of(form: Form, config: ModelConfig, content: Mapping[str, Any]) -> Iterator[tuple[str, list[str], bool]]:
    """Yield each tensor of the class: its name, the names of ours that make it up, and whether it is their transpose."""
    for part in form.parts:
        if part.theirs == HEAD and config.tie_embeddings:
            continue
        for layer in range(config.layers) if "{}" in part.theirs else (0,):
            for kind in ("weight", "bias") if _has_bias(part, content) else ("weight",):
                ours = [f"{our.format(layer)}.{kind}" for our in part.ours]
                yield f"{part.theirs.format(layer)}.{kind}", ours, part.transposed and kind == "weight"
