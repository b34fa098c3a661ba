"""From rows to an answer: recipe, evaluation, training, the kept artifact, prediction and its explanation."""
