"""An automaton that finds many words in one pass over a text (Aho, Corasick: Efficient String Matching, CACM 1975, section 3).

Its time does not depend on how many words there are: 155 searches one after the other took half as long as reading the page. The
words are of kinds, as bits, and what is found is the kinds.

Shapes: S states, A symbols of the alphabet.
"""

from collections import deque
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np


class Automaton(NamedTuple):
    """`next_SA` the state after each symbol, `bits_S` the kinds of the words that end at a state; and of the text that leads from
    the first state, 0, straight to a state, the kinds of the word that it is, and its length."""

    next_SA: np.ndarray
    bits_S: np.ndarray
    whole_bits_S: np.ndarray
    lengths_S: np.ndarray


def automaton_of(kinds: Iterable[Iterable[list[int]]], symbols: int) -> Automaton:
    """The automaton of the words of all kinds, each a list of symbols smaller than `symbols`. Raises OverflowError beyond 32,767
    states."""
    children: list[dict[int, int]] = [{}]
    bits, lengths = [0], [0]
    for number, words in enumerate(kinds):
        for word in words:
            state = 0
            for symbol in word:
                if symbol not in children[state]:
                    children[state][symbol] = len(children)
                    children.append({})
                    bits.append(0)
                    lengths.append(lengths[state] + 1)
                state = children[state][symbol]
            bits[state] |= 1 << number

    whole_bits_S = np.array(bits, dtype=np.int64)
    next_SA = np.zeros((len(children), symbols), dtype=np.int16)
    fallbacks = [0] * len(children)
    states = deque([0])
    while states:  # by length, so that the fallback of a state, which is shorter, is done before it
        state = states.popleft()
        bits[state] |= bits[fallbacks[state]]
        if state:
            next_SA[state] = next_SA[fallbacks[state]]
        for symbol, child in children[state].items():
            fallbacks[child] = int(next_SA[state, symbol])
            next_SA[state, symbol] = child
            states.append(child)
    return Automaton(next_SA, np.array(bits, dtype=np.int64), whole_bits_S, np.array(lengths))
