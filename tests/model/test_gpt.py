"""The model, compared with published figures and with itself computed in other ways."""

import pytest
import torch

from model.config import ModelConfig
from model.dropout import keep_mask
from model.gpt import GPT, parameter_count, rotary_angles, rotate
from model.initialization import initialize
from model.mixers.documents import Documents, Method
from model.presets import PRESETS, preset

TINY = ModelConfig(
    vocabulary_size=50,
    context_length=16,
    width=32,
    layers=2,
    heads=4,
    key_value_heads=2,
    feed_forward_width=64,
    query_key_norm=True,
)
TINY_GPT2 = ModelConfig(
    **{
        **PRESETS["gpt2-124m"],
        "vocabulary_size": 50,
        "context_length": 16,
        "width": 32,
        "layers": 2,
        "heads": 4,
        "key_value_heads": 4,
        "feed_forward_width": 64,
    }
)


def initialized(config: ModelConfig, seed: int = 0) -> GPT:
    model = GPT(config)
    initialize(model, seed)
    return model


def test_the_books_model_gives_the_books_figures() -> None:
    # Raschka 2024, chapter 5.1.2: target probabilities, loss and perplexity of an untrained model, rounded as printed.
    torch.manual_seed(123)
    model = GPT(preset("gpt2-124m", context_length=256))
    inputs_BT = torch.tensor([[16833, 3626, 6100], [40, 1107, 588]])
    targets_BT = torch.tensor([[3626, 6100, 345], [1107, 588, 11311]])
    with torch.no_grad():
        probabilities = model.logits(inputs_BT).softmax(-1).gather(-1, targets_BT[..., None]).squeeze(-1)
        total, losses_BT = model(inputs_BT, targets_BT)
    expected = torch.tensor([[7.4541e-05, 3.1061e-05, 1.1563e-05], [1.0337e-05, 5.6776e-05, 4.7559e-06]])
    # Five printed digits are accurate to half a unit of the last one, which is 5e-5 of a number that begins with 1. (In float64
    # the first is 7.454047e-05; its printed fifth digit is that of fp32.)
    torch.testing.assert_close(probabilities, expected, rtol=5e-5, atol=0)
    assert round(float(total) / 6, 4) == 10.7940
    assert round(float((total / 6).exp()), 1) == 48725.8
    torch.testing.assert_close(losses_BT, -probabilities.log(), rtol=1e-5, atol=0)


@pytest.mark.parametrize(("tied", "count"), [(False, 163_009_536), (True, 124_412_160)])
def test_gpt2_has_the_documented_number_of_parameters(tied: bool, count: int) -> None:
    with torch.device("meta"):
        assert parameter_count(GPT(preset("gpt2-124m", tie_embeddings=tied))) == count


def test_modern_presets_are_as_large_as_their_names() -> None:
    units = {"m": 1e6, "b": 1e9}
    for name in PRESETS:
        family, size = name.split("-")
        with torch.device("meta"):
            count = parameter_count(GPT(preset(name, tie_embeddings=True)), embeddings=family == "gpt2")
        assert count == pytest.approx(float(size[:-1]) * units[size[-1]], rel=0.12), name


@pytest.mark.parametrize("config", [TINY, TINY_GPT2], ids=["modern", "gpt2"])
def test_a_token_never_sees_a_later_one(config: ModelConfig) -> None:
    model = initialized(config)
    tokens_BT = torch.arange(10)[None]
    changed_BT = tokens_BT.clone()
    changed_BT[0, 6] = 40
    with torch.no_grad():
        before, after = model.logits(tokens_BT), model.logits(changed_BT)
    assert torch.equal(before[0, :6], after[0, :6])
    assert not torch.allclose(before[0, 6:], after[0, 6:])


@pytest.mark.parametrize("method", ["loop", "mask"])
@pytest.mark.parametrize("config", [TINY, TINY_GPT2], ids=["modern", "gpt2"])
def test_one_documents_loss_has_no_gradient_in_another(config: ModelConfig, method: Method) -> None:
    model = initialized(config)
    tokens_BT = torch.randint(1, 50, (2, 16), generator=torch.Generator().manual_seed(1))
    starts_BT = torch.tensor([[0] * 7 + [7] * 9, [0] * 2 + [2] * 10 + [12] * 4])
    seen: list[torch.Tensor] = []

    def keep_gradient(_module: torch.nn.Module, _inputs: object, output: torch.Tensor) -> None:
        output.retain_grad()
        seen.append(output)

    model.token_embedding.register_forward_hook(keep_gradient)
    targets_BT = torch.full_like(tokens_BT, -100)
    targets_BT[0, 7:] = tokens_BT[0, 7:]
    targets_BT[1, 2:12] = tokens_BT[1, 2:12]
    total, _ = model(tokens_BT, targets_BT, Documents.of(starts_BT, method), torch.tensor([5, 6], dtype=torch.int32))
    total.backward()
    gradient = seen[0].grad
    assert gradient is not None
    assert gradient[0, 7:].norm(dim=-1).min() > 0
    assert gradient[1, 2:12].norm(dim=-1).min() > 0
    assert torch.count_nonzero(gradient[0, :7]) == 0
    assert torch.count_nonzero(gradient[1, :2]) == 0
    assert torch.count_nonzero(gradient[1, 12:]) == 0


@pytest.mark.parametrize("config", [TINY, TINY_GPT2], ids=["modern", "gpt2"])
def test_a_document_in_a_window_is_computed_as_if_it_were_alone(config: ModelConfig) -> None:
    model = initialized(config)
    tokens_BT = torch.randint(1, 50, (1, 16), generator=torch.Generator().manual_seed(2))
    with torch.no_grad():
        packed = model.logits(tokens_BT, Documents.of(torch.tensor([[0] * 5 + [5] * 11]), "loop"))
        alone = [model.logits(tokens_BT[:, :5]), model.logits(tokens_BT[:, 5:])]
    torch.testing.assert_close(packed, torch.cat(alone, dim=1), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("config", [TINY, TINY_GPT2], ids=["modern", "gpt2"])
def test_with_a_cache_token_by_token_equals_all_at_once(config: ModelConfig) -> None:
    model = initialized(config)
    tokens_BT = torch.randint(1, 50, (2, 16), generator=torch.Generator().manual_seed(3))
    cache = model.new_cache(2, 16)
    with torch.no_grad():
        whole = model.logits(tokens_BT)
        pieces = [model.logits(tokens_BT[:, :5], cache=cache), model.logits(tokens_BT[:, 5:8], cache=cache)]
        pieces += [model.logits(tokens_BT[:, i : i + 1], cache=cache) for i in range(8, 16)]
    torch.testing.assert_close(torch.cat(pieces, dim=1), whole, rtol=1e-5, atol=1e-6)


def test_rotary_positions_make_scores_depend_on_distance_alone() -> None:
    q, k = torch.randn(2, 1, 1, 1, 8, generator=torch.Generator().manual_seed(4)).unbind()

    def score(query_position: int, key_position: int) -> float:
        turned = [rotate(x, rotary_angles(torch.tensor([[p]]), TINY)) for x, p in ((q, query_position), (k, key_position))]
        return float((turned[0] * turned[1]).sum())

    assert score(5, 3) == pytest.approx(score(12, 10), abs=1e-5)
    assert score(5, 3) != pytest.approx(score(5, 4), abs=1e-3)
    assert score(0, 0) == pytest.approx(float((q * k).sum()), abs=1e-6)


def test_dropout_acts_when_keys_are_given_and_is_a_sequences_own() -> None:
    model = initialized(TINY_GPT2)
    tokens_BT = torch.randint(1, 50, (2, 16), generator=torch.Generator().manual_seed(5))
    keys_B = torch.tensor([11, -7], dtype=torch.int32)
    with torch.no_grad():
        plain, _ = model(tokens_BT, tokens_BT)
        both = model(tokens_BT, tokens_BT, None, keys_B)[1]
        again = model(tokens_BT, tokens_BT, None, keys_B)[1]
        swapped = model(tokens_BT.flip(0), tokens_BT.flip(0), None, keys_B.flip(0))[1]
        other = model(tokens_BT, tokens_BT, None, keys_B + 1)[1]
    assert torch.equal(both, again)
    torch.testing.assert_close(both, swapped.flip(0), rtol=1e-6, atol=1e-6)
    assert not torch.allclose(both, other)
    assert not torch.allclose(both.sum(), plain)


def test_masks_differ_between_layers_and_places() -> None:
    model = initialized(TINY_GPT2)
    masks: list[bytes] = []

    def record(key_B: torch.Tensor, shape: tuple[int, ...], probability: float) -> torch.Tensor:
        mask = keep_mask(key_B, shape, probability)
        masks.append(mask.flatten()[:512].numpy().tobytes())
        return mask

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("model.dropout.keep_mask", record)
        patch.setattr("model.mixers.attention.keep_mask", record)
        model(
            torch.ones(1, 16, dtype=torch.int64), torch.ones(1, 16, dtype=torch.int64), None, torch.tensor([3], dtype=torch.int32)
        )
    assert len(masks) == 1 + 3 * TINY_GPT2.layers
    assert len(set(masks)) == len(masks)
