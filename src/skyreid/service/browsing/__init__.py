"""Pages to look at a case: its tracklets, their pictures, when and where they were."""
