# One image for every process: gateway, matcher, operator. `make image` builds it with docker or buildah.
#
#   --build-arg PYTHON_IMAGE=…   another base with Python 3.11 or newer, pip and venv
#   --build-arg PIP_INDEX_URL=…  another package index; so for the other PIP_… below
#
# Packages come from requirements-image.lock with their hashes. What only builders or people at a terminal need is left out, and bytecode is compiled here,
# because a matcher's start must not pay for it and the root file system is read-only.
ARG PYTHON_IMAGE=python:3.13-slim

FROM ${PYTHON_IMAGE} AS build
ARG PIP_INDEX_URL=""
ARG PIP_EXTRA_INDEX_URL=""
ARG PIP_FIND_LINKS=""
ARG PIP_CERT=""
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_COMPILE=1 PIP_ROOT_USER_ACTION=ignore
WORKDIR /source
COPY requirements-build.lock requirements-image.lock ./
RUN python -m venv /opt/build && /opt/build/bin/pip install --require-hashes -r requirements-build.lock \
    && python -m venv --without-pip /opt/matchmaking \
    && /opt/build/bin/pip --python /opt/matchmaking/bin/python install --require-hashes --only-binary :all: -r requirements-image.lock
COPY pyproject.toml README.md LICENSE ./
COPY functions functions
COPY operator operator
RUN /opt/build/bin/pip wheel --no-deps --no-build-isolation --wheel-dir /wheels . \
    && /opt/build/bin/pip --python /opt/matchmaking/bin/python install --no-deps /wheels/*.whl
COPY image/slim.py /slim/slim.py
# The load generator, for the chart's `loadtest` Job: plain files beside the packages.
COPY loadtest/players /opt/matchmaking/loadtest/players
RUN /opt/matchmaking/bin/python -B /slim/slim.py matchmaking matchmaking_operator && rm -rf /opt/matchmaking/bin/activate* /opt/matchmaking/bin/Activate.ps1

# The base without what installs, compiles or documents; the list of its packages stays, for scanners. A file system of one layer, because what a later layer
# deletes stays in the image.
FROM ${PYTHON_IMAGE} AS base
RUN rm -rf /usr/lib/python3/dist-packages/* /usr/local/lib/python3*/site-packages/* /usr/share/python-wheels \
    && for library in /usr/lib/python3.* /usr/local/lib/python3.*; do \
         cd "$library" 2>/dev/null && rm -rf ensurepip idlelib lib2to3 distutils test turtledemo tkinter pydoc_data config-3.* unittest/__pycache__ || true; done \
    && rm -rf /usr/lib/*-linux-gnu/gconv /usr/lib/apt /usr/lib/*-linux-gnu/libapt-* /usr/lib/*-linux-gnu/perl* /usr/share/perl* /usr/bin/perl* /usr/bin/apt* \
         /usr/share/doc /usr/share/man /usr/share/info /usr/share/locale /usr/share/bash-completion /usr/local/include /usr/include \
         /usr/sbin/* /usr/share/zoneinfo /usr/lib/systemd /usr/lib/udev /usr/bin/gpgv /usr/bin/dpkg* /usr/bin/localedef /usr/bin/openssl \
         /var/lib/apt /var/cache/* /var/log/* /var/lib/dpkg/info /root/.cache /tmp/* \
    && echo 'matchmaking:x:65532:65532::/tmp:/bin/false' >> /etc/passwd
COPY --from=build /opt/matchmaking /opt/matchmaking

FROM scratch AS runtime
COPY --from=base / /
ENV PATH=/opt/matchmaking/bin:/usr/local/bin:/usr/bin:/bin HOME=/tmp LOGNAME=matchmaking LANG=C.UTF-8 PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1
LABEL org.opencontainers.image.title="Game Session Manager" org.opencontainers.image.licenses="Apache-2.0"
USER 65532:65532
WORKDIR /tmp
EXPOSE 8080 9090
ENTRYPOINT ["matchmaking"]
CMD ["gateway"]
