"""Posts from web feeds and front-matter files in, clean feeds by category out."""

__version__ = "0.1.0"
