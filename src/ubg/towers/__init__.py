"""Image and text towers: pretrained or built from sizes, one interface."""
