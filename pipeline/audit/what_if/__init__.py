"""What other settings would leave, from the stored numbers."""
