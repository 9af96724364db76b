"""The engine: the only process with torch. It keeps warm models, scenes, jobs and takes.

Importing it opens nothing and loads nothing heavy; ``python -m engine`` runs it.
"""
