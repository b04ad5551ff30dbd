"""An automaton that finds many words in one pass over a text (Aho, Corasick: Efficient String Matching, CACM 1975, section 3).

Its time does not depend on the number of words; 155 searches one after the other took half as long as reading the page. Each word
has kinds, as bits, and the automaton finds kinds.

Shapes: S states, A symbols of the alphabet.
"""

from collections import deque
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np


class Automaton(NamedTuple):
    """The states of the search. State 0 is the first; each state has one shortest text that leads to it from there."""

    next_SA: np.ndarray  # int16: the state after each symbol
    bits_S: np.ndarray  # int64: the kinds of all words that end at the state
    whole_bits_S: np.ndarray  # int64: the kinds of the word that is the state's text
    lengths_S: np.ndarray  # int64: the length of the state's text


def automaton_of(kinds: Iterable[Iterable[list[int]]], symbols: int) -> Automaton:
    """The automaton of the words of all kinds, each word a list of symbols below `symbols`.

    Raises OverflowError if it has more than 32,767 states.
    """
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
    while states:  # by length, so that the fallback of a state, which is shorter, comes before it
        state = states.popleft()
        bits[state] |= bits[fallbacks[state]]
        if state:
            next_SA[state] = next_SA[fallbacks[state]]
        for symbol, child in children[state].items():
            fallbacks[child] = int(next_SA[state, symbol])
            next_SA[state, symbol] = child
            states.append(child)
    return Automaton(next_SA, np.array(bits, dtype=np.int64), whole_bits_S, np.array(lengths))
