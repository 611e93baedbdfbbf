"""A profile for long searches: `pytest tests/hostile --hypothesis-profile=thorough`."""

from hypothesis import settings

settings.register_profile("thorough", max_examples=3_000)
