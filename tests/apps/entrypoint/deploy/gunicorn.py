bind = "0.0.0.0:9000"
workers = 2
preload_app = True
raw_env = ["FROM_GUNICORN=yes"]
