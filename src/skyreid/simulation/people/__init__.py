"""Who walks by and what shape that has: looks, joints, and the capsules of one moment of the walk."""
