"""The codes of all images, encoded once."""
