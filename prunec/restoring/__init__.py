"""Restoring: what removed channels did is done by those that stay."""
