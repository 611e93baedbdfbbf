"""Whether embeddings of images tell apart who somebody is and what they wear."""
