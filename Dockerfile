# One image for the API and the worker. Build: docker compose build. What is installed is what requirements.lock pins by hash;
# what builds our own wheels stays in the stage that builds it.
FROM python:3.11.15-slim-trixie AS build
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
WORKDIR /src
RUN python -m venv /opt/nautes && python -m venv /opt/build
COPY requirements.lock requirements-build.lock ./
RUN /opt/nautes/bin/python -m pip install --require-hashes -r requirements.lock
RUN /opt/build/bin/python -m pip install --require-hashes -r requirements-build.lock
COPY pyproject.toml README.md LICENSE worker.py ./
COPY nautes ./nautes
COPY activities ./activities
COPY workflows ./workflows
COPY api ./api
COPY catalog ./catalog
COPY deploy/release.py ./deploy/release.py
COPY deploy/server ./deploy/server
RUN /opt/build/bin/python -m pip wheel --no-deps --no-build-isolation --wheel-dir /wheels . ./deploy/server \
 && /opt/nautes/bin/python -m pip install --no-deps /wheels/*.whl

FROM python:3.11.15-slim-trixie
# git talks to GitLab (nautes/clients/git.py); the rest comes with the virtual environment.
RUN apt-get update \
 && apt-get install --yes --no-install-recommends git ca-certificates \
 && rm -rf /var/lib/apt/lists/* \
 && groupadd --gid 10001 nautes \
 && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin nautes \
 && install --directory --owner=10001 --group=10001 --mode=0700 /var/lib/nautes
COPY --from=build /opt/nautes /opt/nautes
# With the version it is the build that the workers belong to: docs/how-to/upgrade.md.
ARG COMMIT=development
ENV PATH=/opt/nautes/bin:$PATH PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1 NAUTES_STATE_DIR=/var/lib/nautes NAUTES_COMMIT=$COMMIT
WORKDIR /var/lib/nautes
USER 10001:10001
VOLUME /var/lib/nautes
CMD ["python", "-m", "worker"]
