"""The case for and against a version: evidence, ranking, a survey of the rows, the model card."""
