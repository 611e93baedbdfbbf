"""t2i_reid: who a person is, apart from what they wear."""
