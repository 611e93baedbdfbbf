"""What a data set holds and what is odd in it, to read before a week of training."""
