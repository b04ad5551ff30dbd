"""Plans how the token stream is cut into shards; the plan depends on content alone.

The texts of each part are encoded first (`encoded/`, a cache from which shards are cut). Then all documents are ordered by
`doc_id`, a hash, which shuffles them; split into training and validation by the second half of the id; and cut into shards of
about `shard_tokens` tokens. Neither the number of workers nor the order of the inputs affects the result.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from pipeline.tokenize.config import TokenizeConfig


class Cut(NamedTuple):
    """A planned shard: the documents of a split whose first 16 hex digits of the id are in [first, last]."""

    split: str
    ordinal: int
    first: int
    last: int
    documents: int
    tokens: int

    def holds(self, numbers: npt.NDArray[np.uint64], config: "TokenizeConfig") -> npt.NDArray[np.bool_]:
        """Which documents belong to the shard: bool (N,) for `numbers` (N, 2) of `id_numbers`."""
        inside = (numbers[:, 0] >= np.uint64(self.first)) & (numbers[:, 0] <= np.uint64(self.last))
        chosen: npt.NDArray[np.bool_] = inside & (is_validation(numbers, config.validation_share) == (self.split == "val"))
        return chosen


def id_numbers(doc_ids: Sequence[str]) -> npt.NDArray[np.uint64]:
    """The ids as uint64 (N, 2): the first and the last 16 of 32 hex digits. Raises ValueError for other digits."""
    return np.frombuffer(bytes.fromhex("".join(doc_ids)), dtype=">u8").astype(np.uint64).reshape(-1, 2)


def is_validation(numbers: npt.NDArray[np.uint64], share: float) -> npt.NDArray[np.bool_]:
    """Which documents are for validation: bool (N,), those whose second half of the id, a hash, is below `share` of 2^64."""
    return numbers[:, 1] < np.uint64(int(share * 2**64))


def plan_shards(numbers: npt.NDArray[np.uint64], n_tokens: npt.NDArray[np.int64], config: TokenizeConfig) -> list[Cut]:
    """The shards of documents with the ids `numbers` (N, 2) and token counts `n_tokens` (N,): a pure function of both.

    Documents are in the order of their ids; a shard ends with the document that fills it.
    """
    cuts = []
    validation = is_validation(numbers, config.validation_share)
    for split, chosen in (("train", ~validation), ("val", validation)):
        order = np.lexsort((numbers[chosen, 1], numbers[chosen, 0]))
        firsts, tokens = numbers[chosen, 0][order], n_tokens[chosen][order]
        shard = (np.cumsum(tokens) - tokens) // config.shard_tokens
        for ordinal, index in enumerate(np.unique(shard)):
            members = shard == index
            inside = firsts[members]
            cuts.append(Cut(split, ordinal, int(inside[0]), int(inside[-1]), len(inside), int(tokens[members].sum())))
    return cuts
