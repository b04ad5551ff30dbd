"""HTML read in one pass: tokens, references, elements, and what a page would cost a parser."""
