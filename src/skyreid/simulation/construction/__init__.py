"""A build against the simulated world that was filmed."""
