"""The built-in world as a picture source, and the truth about pairs and edits made of it.

Only here do the program and the package `stilllife` meet.
"""
