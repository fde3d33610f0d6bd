"""Pages on which footage comes into a case and is looked at."""
