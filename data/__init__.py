"""The rows: what each column means (schema) and how a file becomes checked rows (load)."""
