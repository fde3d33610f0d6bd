"""Processes that work beside ours: how many, within which limits, and what they tell of their progress."""
