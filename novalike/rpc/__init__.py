"""What daemons may ask of each other: one class per interface, from which both client and endpoint are made."""
