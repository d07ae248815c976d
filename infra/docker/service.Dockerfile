# One file for every service's image: `--build-arg SERVICE=ingest`.
# Two layers: what the lock pins (rarely changes), and our own packages (change often).
ARG PYTHON_IMAGE=python:3.11-slim-bookworm

FROM ${PYTHON_IMAGE} AS build
RUN --mount=type=cache,target=/root/.cache/pip pip install --quiet uv
ENV UV_PYTHON_DOWNLOADS=never UV_LINK_MODE=copy UV_COMPILE_BYTECODE=1 UV_PROJECT_ENVIRONMENT=/app/.venv
WORKDIR /src
ARG SERVICE
ARG EXTRAS=""
COPY pyproject.toml uv.lock ./
COPY --parents libs/*/pyproject.toml services/*/pyproject.toml ./
RUN --mount=type=cache,target=/root/.cache/uv \
    uv sync --frozen --no-dev --no-install-workspace --package headrace-${SERVICE} ${EXTRAS}
COPY libs libs
COPY services services
RUN --mount=type=cache,target=/root/.cache/uv \
    uv sync --frozen --no-dev --no-editable --package headrace-${SERVICE} ${EXTRAS}

FROM ${PYTHON_IMAGE}
ARG SERVICE
ARG MODULE=headrace.${SERVICE}
ARG VERSION=0.1.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="headrace-${SERVICE}" \
      org.opencontainers.image.description="Headrace: the ${SERVICE} service" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
RUN useradd --system --uid 1000 --create-home --home-dir /home/headrace headrace \
 && install -d -o headrace -g headrace /var/lib/headrace
COPY --from=build /app/.venv /app/.venv
# A read-only root works: what is written goes to /var/lib/headrace and /tmp, which are mounted.
ENV PATH=/app/.venv/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 \
    HEADRACE_MODULE=${MODULE} HEADRACE_HTTP_HOST=0.0.0.0 HEADRACE_HTTP_PORT=8080 HEADRACE_LOG_FORMAT=json
USER headrace
WORKDIR /var/lib/headrace
EXPOSE 8080
HEALTHCHECK --interval=5s --timeout=3s --start-period=30s --retries=6 \
  CMD ["python", "-c", "import os, urllib.request as r; r.urlopen(f'http://127.0.0.1:{os.environ[\"HEADRACE_HTTP_PORT\"]}/live', timeout=2)"]
STOPSIGNAL SIGTERM
CMD ["sh", "-c", "exec python -m ${HEADRACE_MODULE}"]
