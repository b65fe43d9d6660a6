# The web side of Limen: pages and REST, without any training library.
#   docker build -t limen .
#   docker run --rm -p 8501:8501 --read-only --tmpfs /tmp --tmpfs /var/cache/limen:uid=10001 \
#       -v "$PWD/bundles:/bundles:ro" limen
FROM python:3.11-slim AS build
WORKDIR /source
COPY pyproject.toml README.md LICENSE CHANGELOG.md CITATION.cff constraints.txt ./
COPY schemas schemas
COPY toolkit toolkit
COPY zenodo zenodo
COPY app app
RUN python -m venv /opt/limen \
    && /opt/limen/bin/pip install --no-cache-dir --disable-pip-version-check \
        --constraint constraints.txt '.[app]'

FROM python:3.11-slim
RUN useradd --uid 10001 --no-create-home --home-dir /tmp --shell /usr/sbin/nologin limen \
    && install -d -o limen -g limen /var/cache/limen \
    && install -d /bundles
COPY --from=build /opt/limen /opt/limen
ENV PATH=/opt/limen/bin:$PATH \
    HOME=/tmp \
    LIMEN_CACHE=/var/cache/limen \
    OMP_NUM_THREADS=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1
USER limen
WORKDIR /bundles
VOLUME /var/cache/limen
EXPOSE 8501
HEALTHCHECK --interval=30s --timeout=5s --start-period=60s \
    CMD ["python", "-c", "import urllib.request as u; u.urlopen('http://127.0.0.1:8501/healthz', timeout=4)"]
ENTRYPOINT ["limen"]
CMD ["app", "/bundles", "--host", "0.0.0.0", "--port", "8501"]
