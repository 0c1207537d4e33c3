# The text models.
#   scripts/images.sh builds it.
# The packages are those of services/llm/requirements.lock, by hash; ours come from the tree.
ARG PYTHON=docker.io/library/python:3.11-slim-bookworm

FROM ${PYTHON} AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PIP_ROOT_USER_ACTION=ignore
WORKDIR /src
COPY deploy/images/build.lock deploy/images/build.lock
RUN python -m venv /build && /build/bin/pip install --require-hashes --requirement deploy/images/build.lock
COPY services/llm/requirements.lock requirements.lock
# Those that come as source, too, are built with what is locked.
RUN /build/bin/pip wheel --no-deps --no-build-isolation --require-hashes --wheel-dir /wheels --requirement requirements.lock
COPY proto proto
COPY libs libs
COPY services/llm services/llm
RUN /build/bin/pip wheel --no-deps --no-build-isolation --wheel-dir /wheels ./proto ./libs ./services/llm \
    && python -m venv --without-pip /app \
    && /build/bin/pip --python /app/bin/python install --no-deps --no-index /wheels/*.whl \
    && python -m compileall -q /app

# Models that the image holds, by the names of libs/src/dialtone/models/manifest.toml; none unless asked for.
FROM build AS models
ARG MODELS=""
COPY deploy/images/models.lock models.lock
RUN mkdir /models
# Twice: a marker holds the times of its files, of which an image keeps whole seconds.
RUN [ -z "${MODELS}" ] || { python -m venv /fetch \
    && /fetch/bin/pip install --require-hashes --only-binary :all: --requirement models.lock \
    && /fetch/bin/pip install --no-deps --no-index /wheels/dialtone_proto-*.whl /wheels/dialtone_libs-*.whl \
    && export MODELS_DIR=/models \
    && /fetch/bin/python -m dialtone.models ${MODELS} \
    && find /models -type f -exec touch --date=@1700000000 {} + \
    && /fetch/bin/python -m dialtone.models ${MODELS}; }

FROM ${PYTHON}
RUN apt-get update && apt-get install --yes --no-install-recommends libgomp1 && rm -rf /var/lib/apt/lists/*
RUN groupadd --gid 10001 dialtone && useradd --uid 10001 --gid 10001 --no-create-home --shell /usr/sbin/nologin dialtone
COPY --from=build /app /app
COPY --from=models /models /models
COPY deploy/images/healthcheck.py /app/healthcheck.py
ENV PATH=/app/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 \
    HTTP_HOST=0.0.0.0 HTTP_PORT=8080 MODELS_DIR=/models HF_HUB_OFFLINE=1
USER 10001:10001
WORKDIR /tmp
EXPOSE 8080
HEALTHCHECK --interval=5s --timeout=4s --start-period=120s --retries=3 CMD ["python", "/app/healthcheck.py"]
CMD ["python", "-m", "dialtone.llm"]
