"""The training loader beside its peers."""
