"""One training step: optimizer, learning rate, and when to stop."""
