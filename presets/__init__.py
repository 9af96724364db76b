"""Data and its schema: effect chains, UCS categories, model packs. Standard library only."""
