"""How the tokens of a sequence exchange information; attention is the only mixer so far."""
