"""The systems of this project, in the order of the ladder."""

SYSTEMS = ("irra", "phase1", "phase2", "phase3", "phase4")
