"""Phase 4: phase 3, which must also predict the codes of images from captions while it trains."""
