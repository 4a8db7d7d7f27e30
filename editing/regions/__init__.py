"""Where in a picture an edit may change something, where nobody drew it.

A region finder takes requests and gives masks. It is a choice beside the editor, not a part of one:
any editor keeps to the masks that any finder gives.
"""
