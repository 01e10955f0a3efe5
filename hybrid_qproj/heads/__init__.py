"""Heads: what one is, the quantum ones, the classical ones, their files, and the registry of them all."""
