"""Pages on which people say who is who."""
