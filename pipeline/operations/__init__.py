"""What the commands do: run, status, export, counts and take-down."""
