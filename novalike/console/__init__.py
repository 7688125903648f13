"""The proxies of consoles: they check a token and join two sockets, a browser's WebSocket and a guest's console.

They know no database: what holds the tokens, and the way to a guest, are given to them.
"""
