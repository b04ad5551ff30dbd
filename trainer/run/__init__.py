"""A training run: preparation, loop, reports, checkpoints, evaluation, samples."""
