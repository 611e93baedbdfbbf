"""Towers and systems."""
