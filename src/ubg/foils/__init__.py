"""Foils: test cases whose wrong answer differs from the right one in a single fact."""
