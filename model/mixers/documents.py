"""Where the documents of a batch are, in the form that each attention kernel needs.

A window of training text holds several documents, and a token attends only to earlier tokens of its own document. The input is
`starts_BT`: for each token, the index in the window of the first token of its document. Positions, spans and masks follow from
it and are computed once per batch for all layers. Four methods give the same result:

- `loop`: one causal kernel call per document. Fastest on a CPU, since its cost falls with document length.
- `varlen`: one call for all documents, packed (flash attention; NVIDIA, 16-bit types).
- `flex`: a compiled kernel that skips blocks outside documents (GPUs in any precision).
- `mask`: a boolean mask over whole windows. The simplest, and the reference that tests compare the others with.

Shapes: B sequences, T tokens of a window, N = B·T tokens.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import torch
from torch import Tensor
from torch.nn import functional

if TYPE_CHECKING:
    from torch.nn.attention.flex_attention import BlockMask

Method = Literal["loop", "varlen", "flex", "mask"]


def attention_method(device: torch.device, dtype: torch.dtype) -> Method:
    """Return the fastest method for a device and the dtype of its matrix products."""
    if device.type == "cpu":
        return "loop"
    if device.type == "cuda":
        return "varlen" if dtype in (torch.bfloat16, torch.float16) else "flex"
    return "mask"


@dataclass(frozen=True)
class Documents:
    """The documents of a batch, in the form that `method` needs.

    starts_BT: int64. lengths: of each document in order, for `loop`. bounds: int32, the first packed token of each document,
    then N, for `varlen`; longest: an upper bound of their lengths. blocks: for `flex`.
    """

    starts_BT: Tensor
    method: Method
    lengths: tuple[int, ...] = ()
    bounds: Tensor | None = None
    longest: int = 0
    blocks: "BlockMask | None" = None

    @classmethod
    def of(cls, starts_BT: Tensor, method: Method) -> "Documents":
        """Prepare `starts_BT`, integers (B, T) as in the module's docstring, for `method`."""
        starts_BT = starts_BT.long()
        if method == "loop":
            return cls(starts_BT, method, lengths=tuple(_bounds(starts_BT).diff().tolist()))
        if method == "varlen":
            # The kernel gets the window's length, not the longest document's, so that nothing waits for the device.
            return cls(starts_BT, method, bounds=_bounds(starts_BT).int(), longest=starts_BT.shape[1])
        if method == "flex":
            # The compiler behind it takes seconds to import, which no CPU run should wait for.
            from model.mixers.gpu_attention import block_mask

            return cls(starts_BT, method, blocks=block_mask(starts_BT))
        return cls(starts_BT, method)

    @property
    def positions_BT(self) -> Tensor:
        """Each token's index in its document, counted from the window's start if the document began before the window."""
        return torch.arange(self.starts_BT.shape[1], device=self.starts_BT.device) - self.starts_BT

    @property
    def mask_B1TT(self) -> Tensor:
        """Whether the query (row) may attend to the key (column), bool."""
        index = torch.arange(self.starts_BT.shape[1], device=self.starts_BT.device)
        return ((index[:, None] >= index) & (index >= self.starts_BT[:, :, None])).unsqueeze(1)


def _bounds(starts_BT: Tensor) -> Tensor:
    """Return the packed index of the first token of each document, then N."""
    is_start_BT = starts_BT == torch.arange(starts_BT.shape[1], device=starts_BT.device)
    is_start_BT[:, 0] = True
    begins = is_start_BT.flatten().nonzero().squeeze(1)
    return functional.pad(begins, (0, 1), value=starts_BT.numel())
