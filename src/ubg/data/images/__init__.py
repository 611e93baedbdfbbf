"""Image files, and the pack of pixels that batches are read from."""
