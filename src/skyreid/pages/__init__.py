"""Pages that open anywhere: one HTML file, pictures inside, no network. The only folder that knows HTML."""
