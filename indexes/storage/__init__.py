"""Files on object stores and other file systems of `fsspec`, behind the methods of `pathlib.Path`.

A path is local, as ever, or a `StorePath`, which a text like `s3://bucket/folder` becomes. Only
what differs is here: whole uploads, reads by ranges, mirrors of folders that must be local files.
"""
