"""`pentimento evaluate`: what editing methods are worth, in figures and pictures."""
