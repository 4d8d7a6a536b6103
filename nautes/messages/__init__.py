"""Names, ids, inputs, messages and results of every workflow and activity."""
