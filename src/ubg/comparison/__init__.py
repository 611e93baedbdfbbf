"""Systems beside each other: the ladder, studies over seeds, transfer, the pipeline."""
