"""Parquet files nobody vouches for: read within bounds, whatever they claim of themselves."""
