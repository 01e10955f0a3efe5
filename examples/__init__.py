"""Programs and experiments to copy from; not installed."""
