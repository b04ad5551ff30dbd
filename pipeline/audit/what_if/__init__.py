"""What a corpus would hold under other settings, computed from stored numbers."""
