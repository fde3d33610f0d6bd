"""Two tracklets, one person or two: similarities of all pairs, counted exactly in bounded memory."""
