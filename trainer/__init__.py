"""From token shards to a trained model: data order, training, checkpoints, evaluation and generation."""
