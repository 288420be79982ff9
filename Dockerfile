# stmap with its pages and the pulse network, without training (torch) and without a compiler.
#
#     docker build --tag stmap .
#     docker run --rm --network none --user "$(id -u)" --volume "$PWD":/data stmap estimate clip.mp4
#
# The licence of the landmark model excludes commercial use: docs/explanation/dependencies.md.
ARG PYTHON=3.11

FROM python:${PYTHON}-slim AS build
WORKDIR /src
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_CONSTRAINT=/src/constraints.txt PIP_BUILD_CONSTRAINT=/src/constraints.txt
COPY constraints.txt pyproject.toml setup.cfg README.md LICENSE ./
COPY stmap_pipeline stmap_pipeline
COPY cli cli
RUN python -m venv /opt/stmap
RUN /opt/stmap/bin/python -m pip install --quiet ".[plot]"
RUN /opt/stmap/bin/python -m pip uninstall --quiet --yes pip setuptools

FROM python:${PYTHON}-slim
COPY --from=build /opt/stmap /opt/stmap
ENV PATH=/opt/stmap/bin:$PATH PYTHONUNBUFFERED=1 MPLCONFIGDIR=/tmp/matplotlib
RUN useradd --create-home --uid 1000 stmap
USER stmap
WORKDIR /data
RUN stmap --version
ENTRYPOINT ["stmap"]
CMD ["--help"]
