"""Model packs: what is in them, whether it is intact, and the warm models they become."""
