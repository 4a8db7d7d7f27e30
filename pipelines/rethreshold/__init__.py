"""`pairloom rethreshold`: pairs selected anew from the stored candidates, without a model.

`stored_shard` reads what a shard offered and chooses again; pairs that stay keep their
pictures and masks.
"""
