"""Main text against human ground truth, and the training of the trees."""
