"""Which pages a training step read, and which steps read a page."""
