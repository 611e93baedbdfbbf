"""What holds the vectors of a gallery and finds the nearest: one contract, several engines."""
