"""Pictures as bytes and as arrays: decoding within limits, layout, masks, contact sheets.

Whatever comes from outside is decoded here and nowhere else.
"""
