# A small image without a shell: the binary, and the certificates of public authorities for Slack and SendGrid's API.
#
#   docker build -t mailtrail .
#   docker run -v mailtrail:/var/lib/mailtrail -v ./mailtrail.toml:/etc/mailtrail/mailtrail.toml:ro -p 8080:8080 mailtrail
#
# The store needs a local volume (no network file system) and one container at a time.
FROM rust:1.95-bookworm AS build
RUN apt-get update && apt-get install -y --no-install-recommends cmake && rm -rf /var/lib/apt/lists/*
WORKDIR /src
COPY . .
RUN cargo build --release --locked -p mailtrail && mkdir -p /out/var/lib/mailtrail

FROM gcr.io/distroless/cc-debian12:nonroot
COPY --from=build /src/target/release/mailtrail /usr/local/bin/mailtrail
COPY --from=build --chown=nonroot:nonroot --chmod=700 /out/var/lib/mailtrail /var/lib/mailtrail
USER nonroot
VOLUME /var/lib/mailtrail
EXPOSE 8080
STOPSIGNAL SIGTERM
ENTRYPOINT ["/usr/local/bin/mailtrail"]
CMD ["serve", "--config", "/etc/mailtrail/mailtrail.toml"]
