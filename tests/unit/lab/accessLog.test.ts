import assert from "node:assert/strict";

import { parseAccessLog } from "../../lab/lab/accessLog";

describe("lab: the registry's access log", () => {
  it("gives time, request, namespace, status and who asked", () => {
    const [entry] = parseAccessLog(
      '127.0.0.1 - - [22/Nov/2026:20:52:04 +0200] "GET /v2/a%2Fb/c/blobs/sha256:01?ns=gcr.io HTTP/1.1" 200 553 "" "containerd/1.7.24~ds1"\n',
    );
    assert.equal(entry?.time.toISOString(), "2026-11-22T18:52:04.000Z");
    assert.deepEqual(
      [
        entry?.method,
        entry?.path,
        entry?.ns,
        entry?.status,
        entry?.bytes,
        entry?.userAgent,
        entry?.kind,
        entry?.remote,
      ],
      ["GET", "/v2/a/b/c/blobs/sha256:01", "gcr.io", 200, 553, "containerd/1.7.24~ds1", "blobs", "127.0.0.1"],
    );
  });

  it("tells the kinds of requests apart", () => {
    const kinds = [
      "/v2/",
      "/v2/a/manifests/1",
      "/v2/a/blobs/uploads/",
      "/v2/a/blobs/uploads/8a?_state=x",
      "/v2/a/blobs/sha256:1",
      "/v2/_catalog",
    ].map(
      (path) =>
        parseAccessLog(`::1 - - [01/Jan/2026:00:00:00 +0000] "HEAD ${path} HTTP/2.0" 404 - "" "skopeo"`)[0]?.kind,
    );
    assert.deepEqual(kinds, ["ping", "manifests", "uploads", "uploads", "blobs", "other"]);
  });

  it("keeps quotes in a user agent, and leaves out what is no request", () => {
    const entries = parseAccessLog(
      'noise\n1.1.1.1 - user [01/Jan/2026:00:00:00 +0000] "GET /v2/ HTTP/1.1" 401 12 "" "say \\"hi\\" 1"\n{"level":"info"}\n',
    );
    assert.deepEqual(
      entries.map((entry) => entry.userAgent),
      ['say \\"hi\\" 1'],
    );
  });
});
