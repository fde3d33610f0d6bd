"""Pages to ask a case with."""
