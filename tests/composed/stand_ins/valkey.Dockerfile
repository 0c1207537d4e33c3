FROM docker.io/library/python:3.11-slim-bookworm
# Redis's client speaks to Valkey, too.
RUN apt-get update && apt-get install --yes --no-install-recommends redis-tools && rm -rf /var/lib/apt/lists/* \
    && ln -s /usr/bin/redis-cli /usr/local/bin/valkey-cli
COPY valkey-server /usr/local/bin/
WORKDIR /data
CMD ["valkey-server"]
