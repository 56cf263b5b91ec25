"""Exercises that check themselves: ``from rl_lab.course.exercises.review import review``."""
