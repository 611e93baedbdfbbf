"""One trained system measured and drawn."""
