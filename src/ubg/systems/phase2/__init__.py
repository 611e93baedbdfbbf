"""Phase 2: SigLIP's vision tower and the T5 encoder."""
