"""Frames of a film or of a folder of pictures, decoded in a process of its own."""
