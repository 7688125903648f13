"""What every dialect does, in no dialect: one function per operation, after policy and shape were checked."""
