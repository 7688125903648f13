"""Our own identity service: users, projects, roles, tokens and the catalog in the GLOBAL database."""
