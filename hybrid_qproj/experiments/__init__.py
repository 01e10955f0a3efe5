"""Heads, sizes, objectives, amounts of data and seeds: a grid of runs, and what came of it."""
