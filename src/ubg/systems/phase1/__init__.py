"""Phase 1: CLIP's vision transformer and the T5 encoder."""
