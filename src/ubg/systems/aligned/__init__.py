"""What phases 1 to 4 share: two pooled features in one space, and what it takes to train them."""
