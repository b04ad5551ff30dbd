"""How accurate the pipeline's decisions are, one module per subject."""
