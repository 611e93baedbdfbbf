"""Phase 4: another system, which must predict codes of images from captions while it trains."""
