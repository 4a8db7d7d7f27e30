"""`pairloom rethreshold`: pairs selected anew from the stored candidates, without a model."""
