"""What is wrong with a labelled data set, and what it does to a score. No model, HTTP or SQL."""
