"""The parts of the page that `pipeline.report` writes: style, scripts and frame."""
