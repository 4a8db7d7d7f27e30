"""`pairloom plan`: what an index and a build of so many pictures would take, before they are begun.

`rates` reads what was measured and what is reasoned, `costs` reckons with it.
"""
