# A small image without a shell: the binary, and the certificates of public authorities for Slack and SendGrid's API.
#
#   docker build -t mailtrail .
#   docker run -v mailtrail:/var/lib/mailtrail -v ./mailtrail.toml:/etc/mailtrail/mailtrail.toml:ro -p 8080:8080 mailtrail
#
# The store needs a local volume (no network file system) and one container at a time. With [store] kind = "bigquery" it needs
# neither: docs/cloud-run.md.
FROM rust:1.95-bookworm AS build
RUN apt-get update && apt-get install -y --no-install-recommends cmake && rm -rf /var/lib/apt/lists/*
WORKDIR /src
COPY . .
RUN cargo build --release --locked -p mailtrail && install -d -m 700 /out/mailtrail

FROM gcr.io/distroless/cc-debian12:nonroot
COPY --from=build /src/target/release/mailtrail /usr/local/bin/mailtrail
# The folder keeps its mode 700. No --chmod: builders without BuildKit, such as Cloud Build's, refuse it.
COPY --from=build --chown=nonroot:nonroot /out/ /var/lib/
# Where mailtrail.toml is looked for, by every command. Not --config, which would insist on a file and win over MAILTRAIL_CONFIG:
# there need be none where the environment says everything.
WORKDIR /etc/mailtrail
USER nonroot
VOLUME /var/lib/mailtrail
EXPOSE 8080
STOPSIGNAL SIGTERM
ENTRYPOINT ["/usr/local/bin/mailtrail"]
CMD ["serve"]
