"""What benchmarks share: how each begins and ends, with which targets and intervals.

Besides: the still-life job, measuring in processes of their own, networks at full and at small
size, the truth of pairs, and the README's table.
"""
