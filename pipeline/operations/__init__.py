"""The work of the commands: run, status, export, counts and take-down."""
