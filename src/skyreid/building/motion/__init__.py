"""The default without weights: people found by motion before a static camera, and tracked."""
