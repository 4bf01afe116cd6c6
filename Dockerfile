# hilum in two images: `serve` answers and has no TensorFlow, `train` is the worker that trains.
#   docker build --target serve -t hilum:serve .        docker build --target train -t hilum:train .
# `make container-proof` runs these steps in order in a clean root, where no engine is at hand (docs/deployment.md).

# Bases are pinned by version. docs/deployment.md says how to pin them by digest where a registry can be reached.
ARG DEBIAN=debian:12.12-slim
ARG NODE=node:20.19.5-bookworm-slim

# checkov:skip=CKV_DOCKER_7: the version stands in NODE above, which it does not look up
# What browsers load, from npm; none of npm itself goes further.
FROM ${NODE} AS assets
WORKDIR /src
COPY package.json package-lock.json .npmrc ./
RUN npm ci --silent --omit=dev --no-audit --no-fund --ignore-scripts
COPY scripts/vendor.mjs scripts/vendor.mjs
RUN npm run --silent build

FROM ${DEBIAN} AS python
ENV LANG=C.UTF-8 \
    PYTHONUNBUFFERED=1
# The newest security fixes of the release are wanted here, so versions are not pinned.
# hadolint ignore=DL3008
RUN apt-get update \
 && apt-get install --yes --no-install-recommends ca-certificates python3 tini \
 && rm -rf /var/lib/apt/lists/* /var/cache/apt/* /var/log/* /usr/share/doc /usr/share/man \
 && useradd --uid 10001 --user-group --no-create-home --home-dir /var/lib/hilum --shell /usr/sbin/nologin hilum \
 && install --directory --owner=hilum --group=hilum --mode=0700 /var/lib/hilum

# Packages are installed by hash into a virtual environment, which is all that the images take from here.
FROM python AS build
# hadolint ignore=DL3008
RUN apt-get update && apt-get install --yes --no-install-recommends python3-venv && rm -rf /var/lib/apt/lists/*
WORKDIR /src
COPY requirements requirements
RUN python3 -m venv /opt/hilum \
 && /opt/hilum/bin/pip install --no-cache-dir --require-hashes --requirement requirements/serve.txt
COPY pyproject.toml README.md LICENSE ./
COPY src src
COPY --from=assets /src/src/hilum/web/static/vendor src/hilum/web/static/vendor
RUN /opt/hilum/bin/pip install --no-cache-dir --no-deps --no-build-isolation .

# Without what serving never opens: pip, the build backend and Pygments (by which rich colours source code, as nothing
# does here), a second copy of ONNX Runtime for C programs and its tools for conversion, codecs and fonts for formats we
# refuse, packages' tests, symbols for debuggers (not in *.libs, which `strip` breaks), and compiled modules except those
# that serving loads. python-gdcm brings each library three times, as a wheel cannot hold links.
FROM build AS build-serve
# hadolint ignore=DL3008
RUN apt-get update && apt-get install --yes --no-install-recommends binutils && rm -rf /var/lib/apt/lists/*
COPY scripts/slim_environment.sh scripts/slim_environment.sh
RUN scripts/slim_environment.sh /opt/hilum

FROM build AS build-train
RUN /opt/hilum/bin/pip install --no-cache-dir --require-hashes --requirement requirements/train.txt

FROM python AS serve
COPY --from=build-serve /opt/hilum /opt/hilum
COPY models/reference /opt/hilum/models/reference
ENV PATH=/opt/hilum/bin:$PATH \
    HILUM_HOST=0.0.0.0 \
    HILUM_HOME=/var/lib/hilum \
    HILUM_MODEL=/opt/hilum/models/reference
WORKDIR /var/lib/hilum
VOLUME /var/lib/hilum
USER 10001:10001
EXPOSE 8000
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=3s --start-period=30s --retries=3 \
  CMD ["python3", "-c", "import os, urllib.request as r; r.urlopen('http://127.0.0.1:' + (os.environ.get('HILUM_PORT') or '8000') + '/health/live', timeout=2)"]
ENTRYPOINT ["tini", "--", "hilum"]
CMD ["serve"]

FROM python AS train
COPY --from=build-train /opt/hilum /opt/hilum
COPY models/reference /opt/hilum/models/reference
ENV PATH=/opt/hilum/bin:$PATH \
    HILUM_HOME=/var/lib/hilum \
    HILUM_MODEL=/opt/hilum/models/reference \
    KERAS_HOME=/var/lib/hilum/keras \
    MPLCONFIGDIR=/tmp/matplotlib
WORKDIR /var/lib/hilum
VOLUME /var/lib/hilum
USER 10001:10001
STOPSIGNAL SIGTERM
ENTRYPOINT ["tini", "--", "hilum"]
CMD ["--help"]
