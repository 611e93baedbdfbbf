"""The queries of all kinds: measured, compared with controls, drawn."""
