"""The search over HTTP: an API, and a page for a browser."""
