"""The language model: a GPT, its presets, generation, and its exchange with Hugging Face folders."""
