"""Pictures: circuits, the method, results."""
