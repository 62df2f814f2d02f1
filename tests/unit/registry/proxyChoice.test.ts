import { ok, strictEqual, throws } from "node:assert";

import { proxyFor, usesProxy } from "../../../provider/registry/http/proxyChoice";

describe("proxy (P7)", () => {
  const url = new URL("https://registry.example.com:5000/v2/");

  it("P7: the environment's proxy for the scheme, in upper or lower case", () => {
    strictEqual(proxyFor(url, undefined, { HTTPS_PROXY: "http://proxy:3128" })?.href, "http://proxy:3128/");
    strictEqual(proxyFor(url, undefined, { https_proxy: "proxy:3128" })?.href, "http://proxy:3128/");
    strictEqual(proxyFor(url, undefined, { HTTP_PROXY: "http://proxy:3128" }), undefined);
    strictEqual(
      proxyFor(new URL("http://registry.example.com"), undefined, { HTTP_PROXY: "http://proxy:3128" })?.port,
      "3128",
    );
    strictEqual(proxyFor(url, undefined, {}), undefined);
  });

  it("P7: an explicit proxy wins over the environment and over NO_PROXY", () => {
    strictEqual(
      proxyFor(url, "https://p:8080", { HTTPS_PROXY: "http://other:1", NO_PROXY: "*" })?.href,
      "https://p:8080/",
    );
  });

  const table: [string, string, boolean][] = [
    ["https://a.example.com/", "example.com", false],
    ["https://example.com/", "example.com", false],
    ["https://notexample.com/", "example.com", true],
    ["https://example.com/", ".example.com", true],
    ["https://a.example.com/", ".example.com", false],
    ["https://a.example.com/", "*.example.com", false],
    ["https://a.example.com:5000/", "a.example.com:5000", false],
    ["https://a.example.com:5001/", "a.example.com:5000", true],
    ["https://a.example.com/", "b, a.example.com", false],
    ["https://a.example.com/", "*", false],
    ["https://172.18.0.20:5000/", "172.18.0.0/16", false],
    ["https://172.19.0.20:5000/", "172.18.0.0/16", true],
    ["https://172.18.0.20:5000/", "172.18.0.20", false],
    ["https://172.18.0.20:5000/", "172.18.0.20:5000", false],
    ["https://[fd00::1]:5000/", "fd00::/8", false],
    ["https://[fd00::1]:5000/", "fd00::1", false],
    ["https://172.18.0.20/", "172.18.0.0/99", true],
    ["https://a.example.com/", "", true],
    ["https://127.0.0.1:5000/", "", false],
    ["https://localhost:5000/", "", false],
  ];
  for (const [address, noProxy, expected] of table) {
    it(`P7: ${address} with NO_PROXY="${noProxy}" goes ${expected ? "by the proxy" : "directly"}`, () =>
      strictEqual(usesProxy(new URL(address), noProxy), expected));
  }

  it("P7: a proxy that is no address is named without its password", () => {
    try {
      proxyFor(url, "http://user:s3cret@[bad", {});
    } catch (error) {
      const { message } = error as Error;
      ok(message.includes("registry.proxy") && !message.includes("s3cret"), message);
      throws(() => proxyFor(url, undefined, { HTTPS_PROXY: "socks5://p:1080" }), {
        code: "PROXY_INVALID",
        message: /HTTPS_PROXY.*"socks5:\/\/" is not supported|"socks5:\/\/p:1080": "socks5:\/\/" is not supported/,
      });
      return;
    }
    throw new Error("accepted");
  });
});
