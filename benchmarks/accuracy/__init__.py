"""How right the pipeline's decisions are, a module per subject."""
