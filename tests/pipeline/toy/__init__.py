"""The least that a system can be: colours against words."""
