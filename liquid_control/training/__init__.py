"""From expert flights to a model folder: cloning, DAgger, closed-loop validation.

`run.Training` is the whole. Torch is imported by `network`, `learner` and `checkpoint` only: the
processes that fly never load it.
"""
