"""The few commands which need root: one function each, one file per noun."""
