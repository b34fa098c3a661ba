"""What speaks for a version and against it: evidence, ranking, a survey of the rows, the model card."""
