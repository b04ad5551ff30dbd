"""What the project costs and how right it is, beside its peers."""
