"""How a job runs: in which pieces, by which processes or runner, and into which folder."""
