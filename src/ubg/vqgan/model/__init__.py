"""The VQGAN itself, on disk and in memory."""
