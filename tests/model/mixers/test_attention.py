"""The methods of attention, compared with the plain mask."""

import itertools

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from model.mixers.attention import attend
from model.mixers.documents import Documents
from tests.model.mixers.test_documents import starts_of

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
