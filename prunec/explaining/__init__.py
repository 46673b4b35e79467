"""Explaining: why channels go together, and why others stay."""
