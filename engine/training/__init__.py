"""Training of packs; imported by nothing else."""
