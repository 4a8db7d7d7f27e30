"""The Beam stages, one file a stage, each a small PTransform around pure functions.

The rooms hold what the stages are made of: `words`, `pictures`, `dataset`, `batches`, `models`,
`sources` and `fetching`. `record` has what travels between stages, `protocols` what they ask of
models and sources.
"""
