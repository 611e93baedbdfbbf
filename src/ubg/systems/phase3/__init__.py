"""Phase 3: SigLIP's patch tokens and the caption through one shared T5 encoder."""
