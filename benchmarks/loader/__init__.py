"""The training loader compared with its peers."""
