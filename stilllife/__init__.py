"""The built-in world: small rendered pictures whose whole truth is known, and models trained on it.

It is the offline default, the test bed and the laboratory. It is not a claim about photographs.
"""
