"""/etc/placement/gunicorn.conf.py: gunicorn as the server of `placement_api.wsgi:application`."""

bind = "127.0.0.1:8778"
worker_class = "gthread"
workers = 2
threads = 8

# Seconds until a worker that does not react any more is replaced: not a limit for requests.
timeout = 60
# Seconds that requests in hand have when workers are to end.
graceful_timeout = 60
# Seconds that a connection without requests stays open; it occupies no thread.
keepalive = 10

# Queries for allocation candidates are longer than the 4094 bytes that are the default.
limit_request_line = 8190

control_socket_disable = True
