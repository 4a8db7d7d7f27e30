"""How the small models were trained: `python -m stilllife.recipes all` does it again."""
