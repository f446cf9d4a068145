# The tag says what we mean. Which bytes it stands for is asked of its registry before a build, which starts from those;
# their digest is a part of what our image is named by. A digest here would be stronger; to pin one, write
# python:3.11-slim-bookworm@sha256:… in all three places and in longshore.toml. Where Docker Hub is out of reach,
# a build context of the same name takes this image's place.
FROM python:3.11-slim-bookworm AS dependencies
COPY requirements/application.txt /requirements.txt
# A mirror's pip.conf may be given as a secret: it is there while pip runs and in no layer.
# Wheels only: nothing that we did not write runs during a build. Bytecode is compiled by content and
# never checked again, because the times of files change with every build and must not matter.
RUN --mount=type=secret,id=pip_conf,target=/etc/pip.conf,required=false \
    pip install --no-cache-dir --no-compile --disable-pip-version-check --root-user-action=ignore \
      --require-hashes --no-deps --only-binary=:all: --ignore-installed \
      --prefix=/install --requirement=/requirements.txt \
 && python -m compileall -q --invalidation-mode=unchecked-hash -s /install -p /usr/local /install

FROM python:3.11-slim-bookworm AS source
WORKDIR /srv
COPY application application
RUN python -m compileall -q --invalidation-mode=unchecked-hash application

FROM python:3.11-slim-bookworm
ENV PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1
# The official image ships the standard library without bytecode, and this user could not write any:
# each start would compile it anew, which takes longer than all the rest of the start.
RUN library="$(python -c 'import os; print(os.path.dirname(os.__file__))')" \
 && { test -f "$library/__pycache__/argparse.cpython-311.pyc" \
 || python -m compileall -q -j 0 --invalidation-mode=unchecked-hash \
      -x '/(test|tests|idlelib|lib2to3|tkinter|turtledemo|site-packages|dist-packages)/' "$library"; }
COPY --from=dependencies /install /usr/local
WORKDIR /srv
# Last and small: a change of the source replaces this layer alone.
COPY --from=source /srv/application application
USER 10001:10001
EXPOSE 5000
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=30s --timeout=3s --start-period=10s \
  CMD ["python", "-c", "import urllib.request as r; r.urlopen('http://127.0.0.1:5000/livez', timeout=2)"]
CMD ["python", "-m", "gunicorn", "--config", "application/gunicorn.conf.py"]
