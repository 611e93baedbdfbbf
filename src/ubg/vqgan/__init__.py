"""The VQGAN: the model, its training, the codes of all images."""
