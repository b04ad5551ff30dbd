"""The language model: a GPT with presets, generation, and exchange with Hugging Face folders."""
