import assert from "node:assert/strict";

import { editRegistries } from "../../../provider/containerd/registries/editRegistries";
import { revertRegistries } from "../../../provider/containerd/registries/revertRegistries";

const original = `# theirs
mirrors:
  gcr.io: # the old one
    endpoint:
      - https://old.example
    rewrite:
      "^a": "b"
  docker.io:
    endpoint:
      - https://old.example
`;
const place = "10.0.0.20:5000";
const caFile = "/etc/rancher/k3s/registry-mirror/ca.crt";
const written = editRegistries(
  original,
  {
    mirrors: { "gcr.io": [`https://${place}`] },
    tls: { [place]: { caFile } },
    auth: { [place]: { username: "u", password: "p" } },
  },
  "registries.yaml",
);
const revert = (current: string): string | undefined => revertRegistries(original, written, current);

describe("N1: registries.yaml that others changed after us, without our part", () => {
  it("with nothing but comments of theirs: as it was, to the byte", () => {
    assert.equal(revert(`${written}# at the end\n`), original);
  });

  it("written anew without anything of ours: as it is, to the byte", () => {
    const current = `mirrors: { docker.io: { endpoint: ["https://other.example"] } }  # new\n`;
    assert.equal(revert(current), current);
  });

  it("theirs in the very lines beside ours: theirs stays, ours goes", () => {
    const current = written
      .replace(
        "  docker.io:\n    endpoint:\n      - https://old.example\n",
        "  quay.io:\n    endpoint:\n      - https://q.example\n",
      )
      .replace(`ca_file: ${caFile}\n`, `ca_file: ${caFile}\n      cert_file: /etc/theirs.crt\n`);
    const text = revert(current) ?? "";
    assert.match(text, /rewrite:\n {6}"\^a": "b"/, "what was there before us is back");
    assert.match(text, /quay\.io[\s\S]*cert_file: \/etc\/theirs\.crt/);
    assert.doesNotMatch(text, /docker\.io|ca_file|username/);
  });

  it("an entry of ours that says something else by now is theirs", () => {
    const current = written.replace(`- https://${place}`, "- https://newer.example");
    const text = revert(current) ?? "";
    assert.match(text, /gcr\.io: # the old one\s+endpoint:\s+- https:\/\/newer\.example/);
    assert.doesNotMatch(text, /configs|rewrite/);
    assert.match(text, /# theirs/);
  });

  it("where there was no file before, none of it is left; of what is no YAML nothing can be told", () => {
    const ours = editRegistries("", { mirrors: {}, tls: {}, auth: { [place]: { username: "u", password: "p" } } }, "x");
    assert.equal(revertRegistries("", ours, ours), "");
    assert.equal(revert("mirrors: ["), undefined);
  });
});
