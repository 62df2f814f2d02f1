import assert from "node:assert/strict";

import { saysNoCredentials } from "../../../provider/registry/auth/credentialHelperText";
import { saysWantsTls } from "../../../provider/registry/http/tlsServerText";
import { proxyRefusal } from "../../../provider/registry/http/undiciText";

describe("what a credential helper, a server that speaks TLS and undici say", () => {
  it("a helper that has nothing, and one that failed", () => {
    assert.equal(saysNoCredentials("credentials not found in native keychain"), true);
    assert.equal(saysNoCredentials("no credentials server URL"), false);
  });

  for (const said of [
    "Client sent an HTTP request to an HTTPS server.",
    "400 The plain HTTP request was sent to HTTPS port",
    "You're speaking plain HTTP to an SSL-enabled server port. Instead use the HTTPS scheme to access this URL, please.",
  ]) {
    it(said, () => assert.equal(saysWantsTls(said), true));
  }

  it("another 400 says nothing of TLS", () => {
    assert.equal(saysWantsTls("bad request: see https://docs.example/errors"), false);
  });

  it("a proxy's status", () => {
    assert.equal(proxyRefusal("Proxy response (403) !== 200 when HTTP Tunneling"), 403);
    assert.equal(proxyRefusal("Request was cancelled.: Proxy response (502) !== 200 when HTTP Tunneling"), 502);
    assert.equal(proxyRefusal("Proxy Authentication Required (407)"), 407);
    assert.equal(proxyRefusal("other side closed"), undefined);
  });
});
