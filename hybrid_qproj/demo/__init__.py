"""The demo: an experiment that needs nothing but the package, and a report of its own."""
