"""Text encoders without a head: loading, freezing, sides and positions, and embeddings that are kept."""
