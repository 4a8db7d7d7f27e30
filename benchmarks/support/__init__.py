"""What benchmarks share: the still-life job, processes of their own, networks, the truth."""
