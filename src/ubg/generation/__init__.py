"""Understanding by generation: what phase 4 predicts while it trains, and how that is measured."""
