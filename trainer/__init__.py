"""From token shards to a trained model: the order of the data, the step, the loop, checkpoints, evaluation, generation."""
