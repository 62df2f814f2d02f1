import assert from "node:assert/strict";

import { NodeError, type PullCause, pullFailure } from "../../../provider/node";
import { GrpcError } from "../../../provider/node/cri/unaryClient";

const name = `127.0.20.1:5000/p/probe@sha256:${"a".repeat(64)}`;
const url = `https://127.0.20.1:5000/v2/p/probe/manifests/sha256:${"a".repeat(64)}`;
const one = (said: string): string =>
  `failed to pull and unpack image "${name}": failed to resolve reference "${name}": ${said}`;
const two = (said: string): string => `failed to pull and unpack image "${name}": failed to resolve image: ${said}`;

/** As tests/lab/containerd/pullErrors.test.ts gets them from real daemons, with their gRPC status. */
const said: [string, number, string, PullCause][] = [
  [
    "1.6.20",
    2,
    one("pulling from host 127.0.20.1:5000 failed with status code [manifests sha256:aa]: 401 Unauthorized"),
    "unauthorized",
  ],
  [
    "1.7.24",
    2,
    one(
      "pull access denied, repository does not exist or may require authorization: authorization failed: no basic auth credentials",
    ),
    "unauthorized",
  ],
  [
    "1.7.24",
    2,
    one(
      "failed to authorize: failed to fetch anonymous token: unexpected status from GET request to https://t.example/token?scope=x: 403 Forbidden",
    ),
    "unauthorized",
  ],
  ["2.1.9", 2, two(`unexpected status from HEAD request to ${url}?ns=gcr.io: 403 Forbidden`), "unauthorized"],
  ["1.6.20", 5, one(`${name}: not found`), "not-found"],
  ["2.1.9", 5, two(`${name}: not found`), "not-found"],
  [
    "1.6.20",
    2,
    one("pulling from host 127.0.20.1:5000 failed with status code [manifests sha256:aa]: 503 Service Unavailable"),
    "server-error",
  ],
  ["1.7.24", 2, one(`unexpected status from HEAD request to ${url}: 500 Internal Server Error`), "server-error"],
  ["2.1.9", 2, two(`unexpected status from HEAD request to ${url}: 429 Too Many Requests`), "rate-limit"],
  ["1.6.20", 2, one(`failed to do request: Head "${url}": x509: certificate signed by unknown authority`), "tls"],
  [
    "2.1.9",
    2,
    two(
      `failed to do request: Head "${url}": tls: failed to verify certificate: x509: certificate signed by unknown authority`,
    ),
    "tls",
  ],
  [
    "1.7.24",
    2,
    one(`failed to do request: Head "${url}?ns=gcr.io": dial tcp 127.0.20.1:5000: connect: connection refused`),
    "connection",
  ],
  ["1.6.20", 2, one(`failed to do request: Head "${url}": dial tcp 127.0.20.1:5000: i/o timeout`), "timeout"],
  ["1.7.24", 2, one(`failed to do request: Head "${url}": dial tcp 127.0.20.1:5000: i/o timeout`), "timeout"],
  ["2.1.9", 4, two(`failed to do request: Head "${url}": dial tcp 127.0.20.1:5000: i/o timeout`), "timeout"],
  [
    "1.7.24",
    2,
    one('failed to do request: Head "https://m.example:5000/v2/": dial tcp: lookup m.example: no such host'),
    "dns",
  ],
  ["this client", 4, "no answer within 600 s", "timeout"],
  ["this client", 14, "the connection to containerd's socket was closed", "node"],
  ["a node without CRI", 12, "unknown service runtime.v1.ImageService", "node"],
  [
    "1.7.24",
    2,
    `failed to pull and unpack image "${name}": failed to extract layer: write /var/lib: no space left on device`,
    "other",
  ],
];

const thrown = (status: number, message: string): NodeError =>
  new NodeError("NODE_CRI", "n", `containerd's CRI refused PullImage: ${message}`, {
    cause: new GrpcError(status, message),
  });

describe("why a pull failed", () => {
  for (const [release, status, message, cause] of said) {
    it(`V1: ${release}: ${cause}: ${message.slice(message.lastIndexOf(": ") + 2)}`, () => {
      const found = pullFailure(thrown(status, message));
      assert.equal(found.cause, cause);
      assert.ok(!/[?]|failed to pull and unpack image|CRI refused/.test(found.error), found.error);
    });
  }

  it("B8: neither a signature nor a password nor a port that differs each time is told", () => {
    const message = one(
      'Get "https://user:pw-77@store.example/x?sig=s3cret&a=1": read tcp 127.0.0.1:43210->127.0.20.1:5000: read: connection reset by peer',
    );
    assert.equal(
      pullFailure(thrown(2, message)).error,
      'Get "https://store.example/x": read tcp 127.0.20.1:5000: read: connection reset by peer',
    );
  });

  it("a lost connection is the node's, and an interruption is thrown on", () => {
    assert.equal(pullFailure(new NodeError("NODE_LOST", "n", "gone")).cause, "node");
    assert.throws(() => pullFailure(new NodeError("NODE_ABORTED", "n", "interrupted")), { code: "NODE_ABORTED" });
  });
});
