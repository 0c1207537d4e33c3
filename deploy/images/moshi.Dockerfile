# Moshi, for a GPU.
#   scripts/images.sh moshi builds it: torch and CUDA's libraries come with it, some gigabytes.
# The packages are those of services/llm/requirements-moshi-cuda.lock, by hash; ours come from the tree. Its weights
# (15 GB) are on a volume.
ARG PYTHON=docker.io/library/python:3.11-slim-bookworm

FROM ${PYTHON} AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PIP_ROOT_USER_ACTION=ignore
WORKDIR /src
COPY deploy/images/build.lock deploy/images/build.lock
RUN python -m venv /build && /build/bin/pip install --require-hashes --requirement deploy/images/build.lock
COPY services/llm/requirements-moshi-cuda.lock requirements.lock
# Those that come as source, too, are built with what is locked.
RUN /build/bin/pip wheel --no-deps --no-build-isolation --require-hashes --wheel-dir /wheels --requirement requirements.lock
COPY proto proto
COPY libs libs
COPY services/llm services/llm
RUN /build/bin/pip wheel --no-deps --no-build-isolation --wheel-dir /wheels ./proto ./libs ./services/llm \
    && python -m venv --without-pip /app \
    && /build/bin/pip --python /app/bin/python install --no-deps --no-index /wheels/*.whl \
    && python -m compileall -q /app

FROM ${PYTHON}
RUN groupadd --gid 10001 dialtone && useradd --uid 10001 --gid 10001 --no-create-home --shell /usr/sbin/nologin dialtone
COPY --from=build /app /app
COPY deploy/images/healthcheck.py /app/healthcheck.py
ENV PATH=/app/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 \
    HTTP_HOST=0.0.0.0 HTTP_PORT=8080 MODELS_DIR=/models HF_HUB_OFFLINE=1
USER 10001:10001
WORKDIR /tmp
EXPOSE 8080
HEALTHCHECK --interval=5s --timeout=4s --start-period=600s --retries=3 CMD ["python", "/app/healthcheck.py"]
CMD ["python", "-m", "dialtone.llm.moshi"]
