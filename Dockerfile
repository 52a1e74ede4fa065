# Usher in a container: no shell, no package manager, no root, and one folder that it could write to.
# Why 22: docs/decisions/0006-node-22-in-the-image.md. Not below 22.14, for --disable-sigusr1.
ARG NODE_VERSION=22

FROM node:${NODE_VERSION}-trixie-slim AS build
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
RUN npm ci
COPY tsconfig.json tsconfig.build.json ./
COPY scripts/build.mjs scripts/prepare.mjs scripts/
COPY src src
RUN npm run build && npm prune --omit=dev && mkdir state

FROM gcr.io/distroless/nodejs${NODE_VERSION}-debian13:nonroot
WORKDIR /app
# package.json says that dist is ESM; policy.sandbox.yaml is for HOST=127.0.0.1 with --network host.
COPY --from=build /app/package.json ./
COPY --from=build /app/node_modules node_modules
COPY --from=build /app/dist dist
COPY policy.sandbox.yaml ./
# For REVOCATIONS_FILE: a named volume that is mounted here starts as this folder is, its owner too.
COPY --from=build --chown=65532:65532 /app/state /var/lib/usher
ENV NODE_ENV=production HOST=0.0.0.0
EXPOSE 8082
USER 65532:65532
HEALTHCHECK --interval=10s --timeout=4s --start-period=10s CMD ["/nodejs/bin/node", "dist/cli/main.js", "health"]
# SIGUSR1 would open Node's inspector, which can read every secret of the process.
ENTRYPOINT ["/nodejs/bin/node", "--disable-sigusr1"]
CMD ["dist/main.js"]
