"""Infrared images, colour pencil drawings and sketches of persons, and queries made of them."""
