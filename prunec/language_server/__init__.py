"""A language server for rule files: diagnostics, hover, go to definition, formatting."""
