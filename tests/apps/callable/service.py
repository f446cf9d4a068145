"""A bare WSGI callable."""


def application(environ, start_response):
    body = f"callable at {environ['PATH_INFO']}".encode()
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(body)))])
    return [body]
