"""The commands of the pipeline, by what they are for."""
