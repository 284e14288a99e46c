# The image of every process: docs/deploy/docker.md has the commands, docs/adr/0033-one-image-without-a-database.md the reasons.

ARG NODE_IMAGE=docker.io/library/node:24-slim

# Compiles, on the processor of the builder: the result is JavaScript.
FROM --platform=$BUILDPLATFORM ${NODE_IMAGE} AS build
WORKDIR /build
COPY package.json package-lock.json ./
RUN npm ci --include=dev --ignore-scripts --no-audit --no-fund --loglevel=error
COPY . .
RUN node scripts/bootstrap.mjs build
# Any user runs the image, whatever rights the umask of the checkout has left to others.
RUN chmod -R a+rX package.json LICENSE scripts prisma dist
# Any user that runs the image is in group 0 if it has no group of its own. An empty volume takes over these rights.
RUN mkdir -m 770 -p /skeleton/data

# Installs for the processor of the image, without running anything of that processor.
FROM --platform=$BUILDPLATFORM ${NODE_IMAGE} AS modules
ARG TARGETARCH
WORKDIR /modules
COPY package.json package-lock.json ./
COPY scripts/production-modules.mjs scripts/
RUN node scripts/production-modules.mjs . ${TARGETARCH:+--cpu ${TARGETARCH}}

# Runs nothing at build time: no shell history, no npm cache, no settings of the builder in a layer.
FROM ${NODE_IMAGE}
ARG VERSION=0.1.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="Parley" \
      org.opencontainers.image.description="A self-hosted chat API: accounts, durable conversations and streaming answers over any model provider." \
      org.opencontainers.image.licenses="MIT" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
WORKDIR /app
COPY --from=modules /modules/node_modules node_modules
COPY --from=build /build/package.json /build/LICENSE ./
COPY --from=build /build/scripts/healthcheck.mjs scripts/
COPY --from=build /build/prisma/migrations prisma/migrations
COPY --from=build /build/dist dist
COPY --from=build --chown=1000:0 /skeleton/ /
ENV NODE_ENV=production \
    NODE_OPTIONS=--enable-source-maps \
    HOST=0.0.0.0 \
    PORT=3000 \
    DATA_DIR=/data \
    HOME=/tmp
VOLUME ["/data"]
EXPOSE 3000 3001
# The user node, by its number: Kubernetes verifies runAsNonRoot with numbers only.
USER 1000
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --retries=3 CMD ["node", "scripts/healthcheck.mjs"]
# Node itself gets the signals: no shell and no npm in between.
ENTRYPOINT []
CMD ["node", "dist/main.js"]
