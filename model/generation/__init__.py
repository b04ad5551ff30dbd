"""Text generation: greedy choice, sampling and beam search, one token after the other."""
