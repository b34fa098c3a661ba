"""From rows to a fitted and evaluated model: algorithms, recipes, evaluation, refits and the kept files."""
