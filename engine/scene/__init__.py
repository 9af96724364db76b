"""Scenes: what the session holds, as frozen data, pure edits, strict JSON and a journal."""
