"""A door: the process of one training run. Puts services and training together on DBOS; knows no HTTP."""
