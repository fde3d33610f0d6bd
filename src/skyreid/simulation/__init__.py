"""People, ground cameras and drones that are drawn, so that the truth about them is known."""
