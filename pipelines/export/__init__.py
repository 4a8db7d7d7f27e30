"""`pairloom export`: a data set in the forms that trainers and the Hugging Face hub read."""
