"""Who resembles whom in a case: what it is asked with, whom it finds, and how lists learn."""
