"""Crops of people: cut from the frames of a video, the bad ones dropped, the faces in them covered."""
