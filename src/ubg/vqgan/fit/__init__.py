"""A VQGAN trained on the images at hand."""
