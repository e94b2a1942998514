# One image, nothing in it but the node and p2pctl, both static:
#   docker build -t p2pnode .
#   docker run -d --network host --stop-timeout 30 -v p2pnode:/data \
#       -e P2PNODE_LISTEN=192.0.2.7:4000 -e P2PCTL_NODE=192.0.2.7:4000 p2pnode
# P2PCTL_NODE is whom the health check asks whether the node answers, as /healthz does. A node that is cut off
# answers, and starting it anew would not help: that it does is what /readyz and the alerts tell.
# Without --network host nothing but the container reaches HTTP at its default, 127.0.0.1:4080. Then
#   -p 4000:4000/udp -p 127.0.0.1:4080:4080 -e P2PNODE_LISTEN=0.0.0.0:4000 -e P2PNODE_ADVERTISE=192.0.2.7:4000 \
#   -e P2PNODE_HTTP=0.0.0.0:4080 -e P2PNODE_HTTP_TOKEN_FILE=/token -v ./token:/token:ro   # of user 65532, mode 600
FROM rust:1.95-bookworm AS build
# ring's C and assembly are compiled for musl.
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install -y --no-install-recommends musl-tools \
    && rm -rf /var/lib/apt/lists/*
RUN rustup target add x86_64-unknown-linux-musl
WORKDIR /source
COPY . .
RUN cargo build --locked --profile dist --target x86_64-unknown-linux-musl --bin p2pnode --bin p2pctl \
    && mkdir -p /image/data /image/tmp \
    && cp target/x86_64-unknown-linux-musl/dist/p2pnode target/x86_64-unknown-linux-musl/dist/p2pctl /image/ \
    && chown 65532:65532 /image/data && chmod 1777 /image/tmp

FROM scratch
COPY --from=build /image/ /
# Nobody in particular: it needs its data directory, and nothing else.
USER 65532:65532
ENV P2PNODE_DATA_DIR=/data
VOLUME /data
EXPOSE 4000/udp 4080/tcp
# `docker stop` waits for ten seconds unless told otherwise, and handing over may take fifteen.
STOPSIGNAL SIGTERM
# Others in a compose file wait for the first check, which comes after one interval.
HEALTHCHECK --interval=10s --timeout=5s --start-period=10s CMD ["/p2pctl", "--timeout", "4s", "status"]
ENTRYPOINT ["/p2pnode"]
