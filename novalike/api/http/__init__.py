"""What all HTTP dialects share: routes as tables, request schemas as tables, faults rendered once."""
