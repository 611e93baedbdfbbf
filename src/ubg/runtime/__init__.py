"""What scripts run on: command line, processes, checkpoints, outputs that appear whole."""
