"""Embeddings of texts by a frozen encoder, computed once."""
