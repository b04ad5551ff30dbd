"""The inputs of a run and the records in them."""
