import { deepStrictEqual } from "node:assert";

import { parseChallenges } from "../../../provider/registry/auth/challenge";

describe("WWW-Authenticate", () => {
  const table: [string, string, { scheme: string; parameters: Record<string, string> }[]][] = [
    ["basic", 'Basic realm="lab"', [{ scheme: "basic", parameters: { realm: "lab" } }]],
    [
      "bearer with commas inside quotes",
      'Bearer realm="https://auth.example/token",service="r",scope="repository:a/b:pull,push"',
      [
        {
          scheme: "bearer",
          parameters: { realm: "https://auth.example/token", service: "r", scope: "repository:a/b:pull,push" },
        },
      ],
    ],
    [
      "several challenges in one header",
      'Bearer realm="https://a/t", service="x", Basic realm="y", Negotiate',
      [
        { scheme: "bearer", parameters: { realm: "https://a/t", service: "x" } },
        { scheme: "basic", parameters: { realm: "y" } },
        { scheme: "negotiate", parameters: {} },
      ],
    ],
    ["escapes inside quotes", 'Basic realm="a \\"b\\" c"', [{ scheme: "basic", parameters: { realm: 'a "b" c' } }]],
    [
      "unquoted values and spaces round =",
      "bEaReR Realm = https",
      [{ scheme: "bearer", parameters: { realm: "https" } }],
    ],
    [
      "an error parameter",
      'Bearer realm="r",error="insufficient_scope"',
      [{ scheme: "bearer", parameters: { realm: "r", error: "insufficient_scope" } }],
    ],
    ["nothing", "", []],
    [
      "what cannot be read ends the list",
      'Basic realm="a", Bearer realm="b',
      [
        { scheme: "basic", parameters: { realm: "a" } },
        { scheme: "bearer", parameters: {} },
      ],
    ],
  ];
  for (const [title, header, expected] of table) {
    it(title, () => deepStrictEqual(parseChallenges(header), expected));
  }
});
