"""The stage removals: documents that were taken down."""
