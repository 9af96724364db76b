"""Jobs: long work with a priority, progress and a way to stop it."""
