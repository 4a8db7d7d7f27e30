"""`pairloom evaluate`: what editors are worth, in figures and pictures."""
