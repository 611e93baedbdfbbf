"""What a training run will need, before its data and its pretrained weights are there."""
