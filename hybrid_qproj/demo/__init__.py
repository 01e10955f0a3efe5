"""The demo: every head on the Lee corpus, and a report."""
