"""From rows to a fitted model that vouches for itself: algorithms, recipes, evaluation, refits, the kept files."""
