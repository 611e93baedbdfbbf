"""The branch that sees the caption and the visible part of a masked image (`condition: joint`)."""
