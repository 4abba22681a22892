# Two small images, for amd64 and arm64: docker build --target hub . / docker build --target probe .
# (both platforms at once: docker buildx build --platform linux/amd64,linux/arm64 ...). Neither has a shell. Nobody has root.

# --- hub: needs a C library, and nothing else -------------------------------------------------------------------------
FROM rust:1.95-slim-bookworm AS build-hub
RUN apt-get update && apt-get install -y --no-install-recommends gcc libc6-dev && rm -rf /var/lib/apt/lists/*
WORKDIR /src
COPY Cargo.toml Cargo.lock ./
COPY probe probe
COPY hub hub
COPY testbed testbed
COPY chaos chaos
COPY migrations migrations
RUN cargo build --release --locked -p hub
# A volume that is made new has the owner and the mode of what is there.
RUN install -d -m 0700 -o 65532 -g 65532 /state

FROM gcr.io/distroless/cc-debian12:nonroot AS hub
COPY --from=build-hub /src/target/release/betteruptime-hub /usr/local/bin/
COPY --from=build-hub --chown=65532:65532 /state /var/lib/betteruptime
USER 65532:65532
ENV LISTEN=0.0.0.0:3001 STATE_DIRECTORY=/var/lib/betteruptime
VOLUME /var/lib/betteruptime
EXPOSE 3001
HEALTHCHECK --interval=10s --timeout=3s --start-period=20s CMD ["betteruptime-hub", "healthcheck"]
ENTRYPOINT ["betteruptime-hub"]

# --- probe: static, so that it needs nothing --------------------------------------------------------------------------
FROM rust:1.95-alpine AS build-probe
RUN apk add --no-cache gcc musl-dev
WORKDIR /src
COPY Cargo.toml Cargo.lock ./
COPY probe probe
COPY hub hub
COPY testbed testbed
COPY chaos chaos
COPY migrations migrations
RUN cargo build --profile dist --locked -p probe
RUN install -d -m 0700 -o 65532 -g 65532 /state

FROM scratch AS probe
# Redis with a certificate of a public authority is trusted by these; websites by what the program brings along.
COPY --from=build-probe /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/
COPY --from=build-probe /src/target/dist/betteruptime-probe /usr/local/bin/
COPY --from=build-probe --chown=65532:65532 /state /var/lib/betteruptime-probe
USER 65532:65532
ENV PATH=/usr/local/bin SPOOL_DIRECTORY=/var/lib/betteruptime-probe/spool
VOLUME /var/lib/betteruptime-probe
ENTRYPOINT ["betteruptime-probe"]

# --- proxy: what is published, without root and without the right that its program carries ----------------------------
FROM caddy:2.10.0-alpine AS proxy
# A program with rights of its own cannot be started by who may have none; a copy by `cat` has none.
RUN cat /usr/bin/caddy >/usr/local/bin/caddy && chmod 0755 /usr/local/bin/caddy && rm /usr/bin/caddy \
    && install -d -m 0700 -o 65532 -g 65532 /data/caddy && chown 65532:65532 /data
USER 65532:65532
ENTRYPOINT ["caddy"]
CMD ["run", "--config", "/etc/caddy/Caddyfile", "--adapter", "caddyfile"]
