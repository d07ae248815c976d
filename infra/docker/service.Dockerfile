# One file for every image of ours that runs Python: `--build-arg SERVICE=ingest`.
# What the lock pins and what is ours are installed, and lie in the image, apart: a change of ours moves one small layer.
# KIND=minimal starts from nothing: Python, this service's packages, the libraries that they load (minimal_root.py).
# KIND=full keeps the base image's shell and tools, for Ray, whose operator calls them.
ARG PYTHON_IMAGE=python:3.11-slim-bookworm
ARG KIND=minimal

FROM ${PYTHON_IMAGE} AS manifests
COPY libs /all/libs
COPY services /all/services
RUN cd /all && find . -name pyproject.toml -exec cp --parents -t /mnt {} +

FROM ${PYTHON_IMAGE} AS packages
RUN --mount=type=cache,target=/root/.cache/pip pip install uv
# libraries of the system: libgomp1 for LightGBM; ocl-icd-libopencl1 for its work on a GPU. binutils only strips
ARG PACKAGES=""
RUN --mount=type=cache,target=/var/lib/apt/lists,sharing=locked --mount=type=cache,target=/var/cache/apt,sharing=locked \
    apt-get update -qq && apt-get install -y -qq --no-install-recommends binutils ${PACKAGES}
ENV UV_PYTHON_DOWNLOADS=never UV_LINK_MODE=copy UV_COMPILE_BYTECODE=1 UV_PROJECT_ENVIRONMENT=/app
WORKDIR /src
ARG SERVICE
ARG EXTRAS=""
COPY pyproject.toml uv.lock ./
COPY --from=manifests /mnt ./
RUN --mount=type=cache,target=/root/.cache/uv \
    uv sync --frozen --no-dev --no-install-workspace --package headrace-${SERVICE} ${EXTRAS}
COPY infra/docker/trim.py /tools/
RUN python /tools/trim.py /app

FROM packages AS ours
COPY infra/docker/importable.py /tools/
COPY libs libs
COPY services services
RUN --mount=type=cache,target=/root/.cache/uv \
    uv sync --frozen --no-dev --no-editable --package headrace-${SERVICE} ${EXTRAS} \
 && /app/bin/python -B /tools/importable.py headrace.${SERVICE} \
 && mkdir /ours && cd /app && cp --archive --parents -t /ours lib/python*/site-packages/headrace*

FROM packages AS layout
COPY infra/docker/minimal_root.py /tools/
# what the service writes lies in volumes and in /tmp, so that the root may be read-only
RUN useradd --system --uid 1000 --home-dir /var/lib/headrace headrace \
 && install -d -o headrace -g headrace /var/lib/headrace /run/headrace \
 && python /tools/minimal_root.py /image /app $(ldconfig -p | sed -n 's/.*=> \(.*lib\(gomp\|OpenCL\)\.so\.1\)$/\1/p') \
 && cd / && cp --archive --parents var/lib/headrace run/headrace /image

FROM scratch AS minimal
COPY --from=layout /image /

FROM ${PYTHON_IMAGE} AS full
ARG PACKAGES=""
RUN --mount=type=cache,target=/var/lib/apt/lists,sharing=locked --mount=type=cache,target=/var/cache/apt,sharing=locked \
    [ -z "${PACKAGES}" ] || { apt-get update -qq && apt-get install -y -qq --no-install-recommends ${PACKAGES}; }
RUN useradd --system --uid 1000 --home-dir /var/lib/headrace headrace \
 && install -d -o headrace -g headrace /var/lib/headrace /run/headrace \
 && mkdir -p /etc/OpenCL/vendors && echo libnvidia-opencl.so.1 > /etc/OpenCL/vendors/nvidia.icd

FROM ${KIND}
COPY infra/docker/healthy.py /usr/local/bin/
COPY --from=packages /app /app
COPY --from=ours /ours /app
ARG SERVICE
ARG MODULE=headrace.${SERVICE}
ARG VERSION=0.2.0
ARG REVISION=unknown
ARG GPU=""
LABEL org.opencontainers.image.title="headrace-${SERVICE}" \
      org.opencontainers.image.description="Headrace: ${SERVICE}" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
# the container toolkit gives a container that says so the driver's libraries; without GPU=all it asks for nothing
ENV NVIDIA_VISIBLE_DEVICES=${GPU:-void} NVIDIA_DRIVER_CAPABILITIES=compute,utility
# HEADRACE_ENV_FILE: settings that are secret, mounted as a file, so that they stand neither in the image nor in its inspection
ENV PATH=/app/bin:/usr/local/bin:/usr/bin:/bin LANG=C.UTF-8 HOME=/tmp PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 \
    HEADRACE_MODULE=${MODULE} HEADRACE_ENV_FILE=/run/headrace/env \
    HEADRACE_HTTP_HOST=0.0.0.0 HEADRACE_HTTP_PORT=8080 HEADRACE_LOG_FORMAT=json
USER 1000:1000
WORKDIR /var/lib/headrace
EXPOSE 8080
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --start-period=120s --retries=6 \
  CMD ["sh", "-c", "exec python -IS /usr/local/bin/healthy.py $HEADRACE_HTTP_PORT /ready"]
CMD ["sh", "-c", "set -a; [ ! -r \"$HEADRACE_ENV_FILE\" ] || . \"$HEADRACE_ENV_FILE\"; exec python -m \"$HEADRACE_MODULE\""]
