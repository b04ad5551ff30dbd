"""Checkpoints on disk, and the training state in them."""
