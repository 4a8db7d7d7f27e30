"""`pairloom edit`: one picture edited by words."""
