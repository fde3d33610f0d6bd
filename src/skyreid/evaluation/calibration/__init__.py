"""What a similarity means: thresholds, probabilities, "not in this gallery", and how far to trust them."""
