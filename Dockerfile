# An image with the static binary and the root certificates, and nothing else: no base image, no shell.
# `scripts/image` collects the files in target/image, which is the build context:
#
#   scripts/image && docker build -t mailtrail target/image
#   docker run -v mailtrail:/var/lib/mailtrail -v ./mailtrail.toml:/etc/mailtrail/mailtrail.toml:ro -p 8080:8080 mailtrail
#
# The store needs a local volume (no network file system) and one container at a time. With [store] kind = "bigquery" it needs
# neither: docs/cloud-run.md.
FROM scratch
COPY mailtrail /usr/bin/mailtrail
# Root certificates for SendGrid's API, Slack and BigQuery.
COPY ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
# The folder keeps its mode 700. No --chmod: builders without BuildKit, such as Cloud Build's, refuse it.
COPY --chown=65532:65532 var/ /var/
# Where every command looks for mailtrail.toml. Not --config: that would insist on a file and win over MAILTRAIL_CONFIG, and the
# environment alone may hold the whole configuration.
WORKDIR /etc/mailtrail
USER 65532:65532
VOLUME /var/lib/mailtrail
EXPOSE 8080
STOPSIGNAL SIGTERM
ENTRYPOINT ["/usr/bin/mailtrail"]
CMD ["serve"]
