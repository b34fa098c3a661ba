"""Trainings in their turn: jobs, who starts them, and the process or cluster that does them."""
