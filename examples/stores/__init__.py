"""Angles in vector stores: one file a store, what they share in `corpus`."""
