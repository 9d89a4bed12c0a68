"""What is wrapped around the application: the request log, the net under it, the health check.

Each layer is a plain WSGI middleware that knows nothing of providers or allocations; `deploy` puts
them together. Authentication is in `auth`; CORS and proxy headers are those of oslo.middleware.
"""
