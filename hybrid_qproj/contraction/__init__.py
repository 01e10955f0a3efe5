"""A plan's arithmetic: how features move through its blocks, and the passes over them that save memory."""
