"""What commands say to a person and to a script, and the flags that several of them read.

Flags of editors and their settings are made from registries, so that no editor is named here.
"""
