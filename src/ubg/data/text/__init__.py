"""Captions: one form, tokenizers, token ids."""
