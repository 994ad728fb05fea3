# syntax=docker/dockerfile:1
# One image for every process of Outpost, and one for the optional road service.
ARG PYTHON_IMAGE=python:3.13.9-slim-bookworm

FROM ${PYTHON_IMAGE} AS build
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PYTHONDONTWRITEBYTECODE=1
WORKDIR /app
RUN python -m venv /venv
COPY requirements/app.lock requirements/node.lock requirements/
RUN /venv/bin/pip install --no-deps --require-hashes --only-binary=:all: -r requirements/app.lock
# Node.js serves this stage only: it fetches the browser files.
RUN python -m venv /node && /node/bin/pip install --no-deps --require-hashes -r requirements/node.lock
COPY . .
RUN PATH=/node/bin:$PATH /venv/bin/python -m web.assets \
    && /venv/bin/pybabel compile -d web/translations \
    && /venv/bin/pip install --no-deps --no-build-isolation --editable . \
    && rm -rf web/node_modules tests fixtures requirements

FROM ${PYTHON_IMAGE} AS outpost
ENV PATH=/venv/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    OUTPOST_ENV=production \
    OUTPOST_BROKER_DIR=/etc/outpost/mqtt \
    OUTPOST_RUN_DIR=/run/outpost
# Evidence is printed by WeasyPrint: text layout, and fonts for Chinese.
RUN apt-get update \
    && apt-get install -y --no-install-recommends \
        fonts-noto-cjk libharfbuzz-subset0 libpango-1.0-0 libpangoft2-1.0-0 \
    && rm -rf /var/lib/apt/lists/*
# The group lets the broker, which runs as another user, read the password file that the
# gatekeeper writes: a new volume takes owner and mode from this folder.
RUN groupadd --gid 10001 outpost \
    && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin outpost \
    && install -d -o 10001 -g 10001 -m 2750 /etc/outpost/mqtt \
    && install -d -o 10001 -g 10001 -m 0750 /run/outpost
COPY --from=build /venv /venv
COPY --from=build /app /app
WORKDIR /app
USER 10001:10001
ENTRYPOINT ["outpost"]
CMD ["--help"]

# Optional: road matching and routes (docker compose --profile roads).
FROM ${PYTHON_IMAGE} AS roads
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
COPY requirements/roads.lock /tmp/roads.lock
RUN pip install --no-deps --require-hashes --only-binary=:all: -r /tmp/roads.lock \
    && valhalla_build_config --mjolnir-tile-extract /tiles/tiles.tar --mjolnir-tile-dir /tiles/none \
        --httpd-service-listen tcp://*:8002 --meili-default-breakage-distance 20000 >/etc/valhalla.json
USER 10002:10002
EXPOSE 8002
CMD ["valhalla_service", "/etc/valhalla.json", "2"]
