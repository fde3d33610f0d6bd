"""Scores that can be trusted beside each other: protocol cards, intervals, slices, files, tables, tests."""
