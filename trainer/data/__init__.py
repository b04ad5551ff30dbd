"""The order of the training data, and its windows and batches."""
