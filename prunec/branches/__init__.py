"""Whole branches of a model: what may leave it where a rule passes on another input."""
