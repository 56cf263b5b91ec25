"""Exercises that check themselves: ``from rl_lab.exercises.review import review``."""
