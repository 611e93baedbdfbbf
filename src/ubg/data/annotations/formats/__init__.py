"""Readers, one file per annotation format."""
