"""The documents of a batch in the form that each method of attention needs."""

import pytest
import torch

from model.mixers.documents import Documents, Method, attention_method


def starts_of(lengths: list[list[int]]) -> torch.Tensor:
    """starts_BT of rows given as lengths of documents."""
    rows = []
    for row in lengths:
        begins = torch.tensor([0, *row]).cumsum(0)
        rows.append(torch.repeat_interleave(begins[:-1], torch.tensor(row)))
    return torch.stack(rows)


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
