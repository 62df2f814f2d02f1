import { deepStrictEqual, ok, strictEqual, throws } from "node:assert";

import { imageNameBase, mirrorUrl, parseRegistryEndpoint } from "../../../provider/registry/endpoint";
import { targetOf } from "../../../provider/registry/push/target";
import { RegistryError } from "../../../provider/registry/registryError";

function messageOf(text: string): string {
  try {
    parseRegistryEndpoint(text);
  } catch (error) {
    ok(error instanceof RegistryError);
    strictEqual(error.code, "ENDPOINT_INVALID");
    return error.message;
  }
  throw new Error(`"${text}" was accepted`);
}

describe("registry endpoint", () => {
  // text -> scheme, host, port, namespace, authority, and the two forms that are made from it
  const table: [string, string, string, number, string, string, string, string][] = [
    [
      "172.18.0.20:5000",
      "https",
      "172.18.0.20",
      5000,
      "",
      "172.18.0.20:5000",
      "https://172.18.0.20:5000",
      "172.18.0.20:5000",
    ],
    [
      "172.18.0.20:5000/ns",
      "https",
      "172.18.0.20",
      5000,
      "ns",
      "172.18.0.20:5000",
      "https://172.18.0.20:5000/v2/ns",
      "172.18.0.20:5000/ns",
    ],
    [
      "172.18.0.20:5000/a/b/",
      "https",
      "172.18.0.20",
      5000,
      "a/b",
      "172.18.0.20:5000",
      "https://172.18.0.20:5000/v2/a/b",
      "172.18.0.20:5000/a/b",
    ],
    [
      "https://172.18.0.20:5000/v2/ns",
      "https",
      "172.18.0.20",
      5000,
      "ns",
      "172.18.0.20:5000",
      "https://172.18.0.20:5000/v2/ns",
      "172.18.0.20:5000/ns",
    ],
    [
      "https://172.18.0.20:5000/v2/",
      "https",
      "172.18.0.20",
      5000,
      "",
      "172.18.0.20:5000",
      "https://172.18.0.20:5000",
      "172.18.0.20:5000",
    ],
    [
      "https://172.18.0.20:5000/ns",
      "https",
      "172.18.0.20",
      5000,
      "ns",
      "172.18.0.20:5000",
      "https://172.18.0.20:5000/v2/ns",
      "172.18.0.20:5000/ns",
    ],
    [
      "http://127.0.0.1:5000",
      "http",
      "127.0.0.1",
      5000,
      "",
      "127.0.0.1:5000",
      "http://127.0.0.1:5000",
      "127.0.0.1:5000",
    ],
    [
      "HTTPS://Registry.Example.COM/v2/ns",
      "https",
      "registry.example.com",
      443,
      "ns",
      "registry.example.com",
      "https://registry.example.com/v2/ns",
      "registry.example.com/ns",
    ],
    [
      "registry.example.com",
      "https",
      "registry.example.com",
      443,
      "",
      "registry.example.com",
      "https://registry.example.com",
      "registry.example.com",
    ],
    [
      "registry.example.com:8443/x",
      "https",
      "registry.example.com",
      8443,
      "x",
      "registry.example.com:8443",
      "https://registry.example.com:8443/v2/x",
      "registry.example.com:8443/x",
    ],
    [
      "http://registry.example.com",
      "http",
      "registry.example.com",
      80,
      "",
      "registry.example.com",
      "http://registry.example.com",
      "registry.example.com",
    ],
    ["[::1]:5000/ns", "https", "[::1]", 5000, "ns", "[::1]:5000", "https://[::1]:5000/v2/ns", "[::1]:5000/ns"],
    [
      "https://[FE80::1]:5000",
      "https",
      "[fe80::1]",
      5000,
      "",
      "[fe80::1]:5000",
      "https://[fe80::1]:5000",
      "[fe80::1]:5000",
    ],
    ["localhost:5000", "https", "localhost", 5000, "", "localhost:5000", "https://localhost:5000", "localhost:5000"],
    [
      "https://172.18.0.20",
      "https",
      "172.18.0.20",
      443,
      "",
      "172.18.0.20:443",
      "https://172.18.0.20:443",
      "172.18.0.20:443",
    ],
    [
      "https://registry/v2/ns",
      "https",
      "registry",
      443,
      "ns",
      "registry:443",
      "https://registry:443/v2/ns",
      "registry:443/ns",
    ],
  ];
  for (const [text, scheme, host, port, namespace, authority, url, base] of table) {
    it(`P2, P3: reads ${text}`, () => {
      const endpoint = parseRegistryEndpoint(text);
      deepStrictEqual(endpoint, { scheme, host, port, namespace, authority });
      strictEqual(mirrorUrl(endpoint), url);
      strictEqual(imageNameBase(endpoint), base);
      deepStrictEqual(parseRegistryEndpoint(url), endpoint, "the URL form reads back to the same place");
    });
  }

  const bad: [string, RegExp][] = [
    ["", /is empty/],
    ["  ", /is empty/],
    ["172.18.0.20: 5000", /has a space/],
    ["ftp://172.18.0.20:5000", /"ftp:\/\/" is not a scheme/],
    ["oci://172.18.0.20:5000", /"oci:\/\/" is not a scheme/],
    ["https:/172.18.0.20:5000", /"https:\/" should read "https:\/\/"/],
    ["172.18.0.20", /"172.18.0.20" needs its port, as in 172.18.0.20:5000/],
    ["172.18.0.20/ns", /needs its port/],
    ["localhost", /needs its port/],
    ["registry/ns", /needs its port/],
    ["[::1]", /needs its port/],
    ["::1", /write the IPv6 address in brackets: \[::1\]:PORT/],
    ["[::1:5000", /bracket of the IPv6 address is not closed/],
    ["172.18.0.20:0", /"0" is not a port/],
    ["172.18.0.20:70000", /"70000" is not a port/],
    ["172.18.0.20:", /"" is not a port/],
    ["172.18.0.20:abc", /"abc" is not a port/],
    ["172.18.0.20:5000/Upper", /"Upper" cannot be a namespace/],
    ["172.18.0.20:5000/a//b", /cannot be a namespace/],
    ["172.18.0.20:5000/ns?x=1", /a query/],
    ["-bad-.example.com:5000", /is not a host/],
  ];
  for (const [text, pattern] of bad) {
    it(`refuses "${text}" and says why`, () => {
      const message = messageOf(text);
      ok(pattern.test(message), message);
      ok(message.includes("expected HOST:PORT"), message);
    });
  }

  for (const text of ["https://user:s3cret@host.example:5000", "user:s3cret@host.example:5000/ns"]) {
    it(`never repeats a password: ${text.replace("s3cret", "...")}`, () => {
      const message = messageOf(text);
      ok(!message.includes("s3cret"), message);
      ok(message.includes("credentials do not belong"), message);
    });
  }

  it("P8: the public host is dropped, path and tag stay, all of it below the namespace", () => {
    const endpoint = parseRegistryEndpoint("172.18.0.20:5000/ns");
    const digest = `sha256:${"a".repeat(64)}`;
    deepStrictEqual(targetOf(endpoint, "gcr.io/a/b:1"), {
      repository: "ns/a/b",
      reference: "1",
      tag: "1",
      name: "172.18.0.20:5000/ns/a/b:1",
    });
    strictEqual(targetOf(endpoint, "otherhost.io:8443/x").name, "172.18.0.20:5000/ns/x:latest");
    strictEqual(targetOf(endpoint, "nginx").name, "172.18.0.20:5000/ns/library/nginx:latest");
    strictEqual(targetOf(endpoint, `gcr.io/a/b@${digest}`).name, `172.18.0.20:5000/ns/a/b@${digest}`);
    strictEqual(targetOf(parseRegistryEndpoint("172.18.0.20:5000"), "gcr.io/a/b:1").name, "172.18.0.20:5000/a/b:1");
    throws(() => targetOf(endpoint, "gcr.io/A/b:1"), /REFERENCE_INVALID|not a repository/);
  });
});
