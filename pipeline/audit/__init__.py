"""Questions to a finished corpus: explanations, yields, reports, comparisons and what-if answers."""
