"""The stage clean: furniture, repeats, invisible characters and punctuation leave the text."""
