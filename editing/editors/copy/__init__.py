"""No change at all: what every comparison of editors needs beside it.

It is right in no edit and errs in none; every trade between change and faithfulness starts there.
"""
