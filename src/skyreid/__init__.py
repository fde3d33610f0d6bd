"""Find a person seen by a ground camera in drone footage, and the other way round."""
