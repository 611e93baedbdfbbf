"""Phase 4: another phase, which must predict codes of images from captions while it trains."""
