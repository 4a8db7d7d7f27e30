"""Where in a picture an edit may change something, where nobody drew it.

A region finder takes requests and gives masks; any editor that keeps what lies outside a mask can
use any of them.
"""
