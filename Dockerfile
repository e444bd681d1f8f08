# The image holds one static binary, the certificates that it checks providers with, and an empty directory for the spool.
FROM golang:1.26-alpine AS build
RUN apk add --no-cache ca-certificates
WORKDIR /src
# Modules change less often than code: a layer of their own keeps them from being fetched for every build.
COPY go.mod go.sum ./
RUN go mod download
COPY . .
RUN CGO_ENABLED=0 go build -trimpath -buildvcs=false -ldflags="-s -w" -o /weir ./cmd/weir
# A new volume takes the owner of the directory it is mounted on, and there is no chown in an empty image.
RUN mkdir /spool

FROM scratch
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/
COPY --from=build --chown=65532:65532 --chmod=0700 /spool /spool
COPY --from=build /weir /weir
USER 65532:65532
ENTRYPOINT ["/weir"]
CMD ["--help"]
