"""What a corpus says of itself: explanations, yields, reports, comparisons and what-if answers."""
