"""For authors of rules: checking, formatting, documenting and trying rule files."""
