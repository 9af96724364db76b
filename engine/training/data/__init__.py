"""Stage ``data``: folders of sounds, words, pictures and videos as cached embeddings in shards.

Making them: :mod:`engine.training.data.stage` (``wildtrack train data``). Training on them:
:mod:`engine.training.data.prepared` opens the folder, :mod:`engine.training.data.batches` draws.
"""
