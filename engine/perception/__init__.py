"""Perception: frames, words and sounds become vectors; frames become regions.

Importing this package loads no model and no heavy library. Encoders and the detector are built
by the ``load_*`` functions of the submodules.
"""
