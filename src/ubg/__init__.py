"""Text-based person retrieval."""
