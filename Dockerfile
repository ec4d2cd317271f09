# The build runs on the builder's own platform and cross-compiles: no emulation for arm64.
FROM --platform=$BUILDPLATFORM golang:1.26.7-bookworm AS build
ARG TARGETOS TARGETARCH
WORKDIR /src
# The source is mounted, not copied, and both caches outlive the build: a second
# one compiles only what changed. Where git cannot read its directory (a worktree,
# an archive) the binary goes without a revision instead of failing.
RUN --mount=type=bind,target=. \
    --mount=type=cache,target=/go/pkg/mod \
    --mount=type=cache,target=/root/.cache/go-build \
    vcs=$(git rev-parse --quiet --verify HEAD >/dev/null 2>&1 && echo true || echo false) && \
    CGO_ENABLED=0 GOOS=$TARGETOS GOARCH=$TARGETARCH \
    go build -trimpath -buildvcs=$vcs -ldflags='-s -w' -o /vitrine ./service

FROM scratch
LABEL org.opencontainers.image.title="Vitrine" \
      org.opencontainers.image.description="A cached, observable net/http service whose every answer explains itself"
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/
COPY --from=build /vitrine /vitrine
USER 65532:65532
# 8080 is for everyone, 8081 for operators: never publish the second.
EXPOSE 8080 8081
HEALTHCHECK --interval=5s --timeout=2s --start-period=5s --retries=3 CMD ["/vitrine", "health"]
ENTRYPOINT ["/vitrine"]
