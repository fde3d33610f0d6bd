"""Footage on its way into a case: what is uploaded or imported, the jobs that look at it, and their workers."""
