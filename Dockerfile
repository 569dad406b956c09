# Two images: `cpu` and `cuda`. No image was built where this was written, for want of a container engine; what the
# stages run was (a venv, the wheel with its pins, the probe), step by step, outside one.
#
#   docker build --target cpu  --build-arg PIP_EXTRA_INDEX_URL=<PyTorch's CPU wheel index> -t kani-npc:cpu .
#   docker build --target cuda -t kani-npc:cuda .
#   docker run --rm -p 50051:50051 -p 8051:8051 kani-npc:cpu
#
# The CUDA image needs the NVIDIA container runtime on the host (`--gpus all`); torch's wheel brings the CUDA
# libraries along, so no CUDA base image is needed.

FROM python:3.11-slim-bookworm AS base
ENV PYTHONUNBUFFERED=1 PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1

FROM base AS build
WORKDIR /src
RUN python -m venv /opt/kani-npc
COPY pyproject.toml constraints.txt README.md LICENSE NOTICE ./
COPY kani_npc kani_npc
COPY clients/web clients/web

FROM build AS build-cpu
ARG PIP_EXTRA_INDEX_URL
RUN /opt/kani-npc/bin/pip install --constraint constraints.txt '.[hub]' \
    # Without PyTorch's CPU index pip takes the CUDA build, gigabytes that this image would carry for nothing.
    && /opt/kani-npc/bin/python -c "import torch, sys; sys.exit(torch.version.cuda is not None and 'torch is a CUDA build: pass PIP_EXTRA_INDEX_URL')"

FROM build AS build-cuda
RUN /opt/kani-npc/bin/pip install --constraint constraints.txt '.[hub]'

FROM base AS runtime
RUN useradd --uid 10001 --create-home --shell /usr/sbin/nologin kani
COPY deploy/healthcheck.py /opt/healthcheck.py
ENV PATH=/opt/kani-npc/bin:$PATH \
    KANI_NPC_ADDRESS=0.0.0.0:50051 \
    # Models fetched by hub name; mount a volume here to keep them.
    HF_HOME=/home/kani/models
USER 10001
WORKDIR /home/kani
# gRPC, and gRPC-Web with the console.
EXPOSE 50051 8051
HEALTHCHECK --interval=10s --timeout=5s --start-period=120s --retries=3 \
    CMD ["python", "/opt/healthcheck.py"]
ENTRYPOINT ["kani-npc"]
CMD ["serve"]

FROM runtime AS cuda
COPY --from=build-cuda /opt/kani-npc /opt/kani-npc
ENV KANI_NPC_DEVICE=cuda

# Last, so that it is what a build without --target makes.
FROM runtime AS cpu
COPY --from=build-cpu /opt/kani-npc /opt/kani-npc
ENV KANI_NPC_DEVICE=cpu
