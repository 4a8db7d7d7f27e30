"""What a person runs: the command line, the Beam graphs and the machinery around them."""
