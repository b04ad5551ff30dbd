"""The methods of attention, compared with the plain mask."""

import itertools

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from model.mixers.attention import attend
from model.mixers.documents import Documents, Method, attention_method


def starts_of(lengths: list[list[int]]) -> torch.Tensor:
    """starts_BT of rows given as lengths of documents."""
    rows = []
    for row in lengths:
        begins = torch.tensor([0, *row]).cumsum(0)
        rows.append(torch.repeat_interleave(begins[:-1], torch.tensor(row)))
    return torch.stack(rows)


rows = st.lists(st.integers(1, 23), max_size=5, unique=True).map(lambda cuts: sorted({0, 24, *cuts}))
layouts = st.lists(rows.map(lambda cuts: [b - a for a, b in itertools.pairwise(cuts)]), min_size=1, max_size=3)


@settings(max_examples=25, deadline=None)
@given(layouts, st.sampled_from([(4, 4), (4, 2), (4, 1)]))
def test_the_loop_over_documents_equals_the_mask_in_values_and_gradients(
    lengths: list[list[int]], heads: tuple[int, int]
) -> None:
    starts_BT = starts_of(lengths)
    generator = torch.Generator().manual_seed(0)
    shapes = [(len(lengths), 24, count, 8) for count in (heads[0], heads[1], heads[1])]
    results = []
    tensors = [torch.randn(shape, generator=generator, dtype=torch.float64) for shape in shapes]
    for method in ("loop", "mask"):
        q, k, v = (x.clone().requires_grad_() for x in tensors)
        o = attend(q, k, v, Documents.of(starts_BT, method))
        (o * torch.arange(o.numel()).view_as(o)).sum().backward()
        results.append([o, q.grad, k.grad, v.grad])
    for fast, plain in zip(*results, strict=True):
        assert fast is not None
        assert plain is not None
        torch.testing.assert_close(fast, plain, rtol=1e-9, atol=1e-9)


@pytest.mark.filterwarnings("ignore:flex_attention called without torch.compile")
def test_the_compiled_kernels_description_of_documents_equals_the_mask() -> None:
    starts_BT = starts_of([[5, 200, 51], [256]])
    generator = torch.Generator().manual_seed(0)
    q, k, v = (torch.randn(2, 256, heads, 16, generator=generator) for heads in (4, 2, 2))
    flex, plain = (attend(q, k, v, Documents.of(starts_BT, method)) for method in ("flex", "mask"))
    torch.testing.assert_close(flex, plain, rtol=1e-5, atol=1e-5)


def test_packed_documents_are_bounded_by_their_starts() -> None:
    documents = Documents.of(starts_of([[3, 4, 1], [8]]), "varlen")
    assert documents.bounds is not None
    assert documents.bounds.tolist() == [0, 3, 7, 8, 16]
    assert documents.longest == 8
    assert Documents.of(starts_of([[3, 4, 1], [8]]), "loop").lengths == (3, 4, 1, 8)


def test_positions_begin_again_at_each_document() -> None:
    assert Documents.of(starts_of([[3, 2]]), "mask").positions_BT.tolist() == [[0, 1, 2, 0, 1]]


@pytest.mark.parametrize(
    ("device", "dtype", "method"),
    [
        ("cpu", torch.float32, "loop"),
        ("cpu", torch.bfloat16, "loop"),
        ("cuda", torch.bfloat16, "varlen"),
        ("cuda", torch.float32, "flex"),
        ("mps", torch.float32, "mask"),
    ],
)
def test_each_device_has_its_way(device: str, dtype: torch.dtype, method: Method) -> None:
    assert attention_method(torch.device(device), dtype) == method


def test_with_dropout_weights_are_those_without_masked_and_scaled() -> None:
    starts_BT = starts_of([[10, 14]])
    generator = torch.Generator().manual_seed(0)
    q, k, v = (torch.randn(1, 24, heads, 8, generator=generator) for heads in (4, 2, 2))
    documents = Documents.of(starts_BT, "loop")
    key_B = torch.tensor([5], dtype=torch.int32)
    # On average over many masks, dropout changes nothing.
    mean = torch.stack([attend(q, k, v, documents, 0.2, key_B + i) for i in range(400)]).mean(0)
    plain = attend(q, k, v, documents)
    torch.testing.assert_close(mean, plain, rtol=0, atol=0.25)
    nearly_none = attend(q, k, v, documents, 1e-9, key_B)
    torch.testing.assert_close(nearly_none, plain, rtol=1e-5, atol=1e-6)
