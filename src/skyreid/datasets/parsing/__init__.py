"""What the readers share: findings, name tables, .mat files, folders of frames, guarded paths."""
