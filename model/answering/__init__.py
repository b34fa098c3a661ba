"""From a fitted model to answers: predictions, changes, contributions, goals, scored lists of scenarios."""
