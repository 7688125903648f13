"""The databases. Functions take a session and return objects; rows never leave this folder."""
