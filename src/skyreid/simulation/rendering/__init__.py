"""Bodies, places, light and a camera to pictures."""
