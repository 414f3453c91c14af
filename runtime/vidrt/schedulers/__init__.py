"""Sigma schedules and solver steps in numpy."""
