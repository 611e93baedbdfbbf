"""Batches: which samples, how they are augmented, what systems add to them."""
