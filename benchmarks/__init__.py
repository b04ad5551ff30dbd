"""How fast and how accurate the project is, compared with its peers."""
