"""Phase 4: phase 3, which must also predict the codes of a masked image while it trains."""
