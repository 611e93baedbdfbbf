"""Turning features into rankings and rankings into numbers."""
