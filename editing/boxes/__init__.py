"""Boxes around what a backbone looks at, and the networks that choose among them."""
