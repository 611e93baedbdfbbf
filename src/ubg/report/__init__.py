"""The report: one page that shows what a run found, and the same as JSON."""
