"""`pairloom fetch`: the pictures behind a list of links."""
