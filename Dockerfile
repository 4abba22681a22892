# One build stage, two small images: docker build --target hub . / docker build --target probe .
FROM rust:1.95-slim-bookworm AS build
RUN apt-get update && apt-get install -y --no-install-recommends gcc libc6-dev && rm -rf /var/lib/apt/lists/*
WORKDIR /src
COPY Cargo.toml Cargo.lock ./
COPY probe probe
COPY hub hub
COPY testbed testbed
COPY chaos chaos
COPY migrations migrations
RUN cargo build --release --locked -p hub && cargo build --profile dist --locked -p probe

FROM debian:bookworm-slim AS hub
RUN useradd --system --uid 10001 --no-create-home betteruptime && install -d -o betteruptime -m 0700 /var/lib/betteruptime
COPY --from=build /src/target/release/betteruptime-hub /usr/local/bin/
USER 10001
ENV LISTEN=0.0.0.0:3001 STATE_DIRECTORY=/var/lib/betteruptime
VOLUME /var/lib/betteruptime
EXPOSE 3001
HEALTHCHECK --interval=10s --timeout=3s --start-period=20s CMD ["betteruptime-hub", "healthcheck"]
ENTRYPOINT ["betteruptime-hub"]

FROM debian:bookworm-slim AS probe
RUN useradd --system --uid 10002 --no-create-home betteruptime-probe
COPY --from=build /src/target/dist/betteruptime-probe /usr/local/bin/
USER 10002
ENTRYPOINT ["betteruptime-probe"]
