import { match, strictEqual } from "node:assert/strict";

import { responseError } from "../../../provider/registry/http/answer";
import { explainFailure } from "../../../provider/registry/http/transportFailure";

const url = new URL("https://registry.example:5000/v2/a/manifests/1?state=x");

describe("codes of a registry's answers", () => {
  const table: [number, string][] = [
    [400, "REGISTRY_REFUSED"],
    [401, "REGISTRY_UNAUTHORIZED"],
    [403, "REGISTRY_DENIED"],
    [404, "REGISTRY_NOT_FOUND"],
    [413, "REGISTRY_TOO_LARGE"],
    [429, "REGISTRY_RATE_LIMITED"],
    [500, "REGISTRY_SERVER_ERROR"],
    [507, "REGISTRY_SERVER_ERROR"],
  ];
  for (const [status, code] of table) {
    it(`${status} is ${code}`, () => {
      const error = responseError("PUT", url, { status, headers: {}, body: Buffer.alloc(0) });
      strictEqual(error.code, code);
      strictEqual(error.status, status);
    });
  }

  it("a TLS alert that asks for a client certificate is told as that", async () => {
    const alert = Object.assign(new Error("alert"), { code: "ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED" });
    const { signal } = new AbortController();
    const request = { method: "GET", url, headers: {}, headersTimeoutMs: 1, signal };
    const error = await explainFailure(alert, request, { proxy: undefined, given: undefined, argument: "registry" });
    strictEqual(error.code, "REGISTRY_CLIENT_CERTIFICATE");
    match(error.message, /wants a client certificate/);
  });
});
