"""Data, rankings and measures of retrieval."""
