"""IRRA, the CLIP baseline: global alignment, and words guessed from the image."""
