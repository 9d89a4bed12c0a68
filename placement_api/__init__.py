"""The HTTP door: the Placement REST API as a thin layer over :mod:`placement_core`.

What lives here is what only HTTP needs: the WSGI application and its routes, microversions,
authentication and policy, JSON schemas, the handlers that parse a request, call one operation of
the domain and render what it returns, and the in-process client. Everything that a microversion
changes is decided here. What Placement *is* stays in :mod:`placement_core`, which never imports
this package and does the same work for callers that have no service running.
"""
