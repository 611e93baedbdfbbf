"""The branch that sees the caption alone, and is kept as a second score (`condition: text`)."""
