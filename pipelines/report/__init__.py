"""The page that shows what a finished data set holds, and the sheet of pictures for a README."""
