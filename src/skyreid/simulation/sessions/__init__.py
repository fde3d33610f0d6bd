"""The same people in the same minute, filmed from the ground and from a drone."""
