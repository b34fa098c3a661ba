"""From rows to an answer: recipe, evaluation, training, the stored artifact, prediction and its explanation."""
