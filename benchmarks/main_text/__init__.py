"""Main text compared with human ground truth, and the training of the trees."""
