"""Objectives and training loops, the same for quantum and classical heads."""
