"""`pairloom report`: the page that shows what a finished data set holds, and a sheet of its pairs.

`page` puts it together; the other files each make one part of it, out of the stored shards alone.
"""
