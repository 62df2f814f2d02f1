import assert from "node:assert/strict";

import { operations } from "../../../../provider/resources/mirror/operations";
import type { MirrorWire } from "../../../../provider/resources/mirror/wire";

describe("B2: a preview of a RegistryMirror", () => {
  const of = (name: string, endpoint: string): MirrorWire =>
    ({
      resourceUrn: `urn:pulumi:s::p::t::${name}`,
      mirrors: [{ endpoint }],
      hosts: [],
      files: { "/etc/containerd/certs.d/gcr.io/hosts.toml": `[host."${endpoint}"]\n` },
      credentials: {},
    }) as unknown as MirrorWire;

  it("that is new shows its files; one that is replaced their changed lines, and nothing for a second time", async () => {
    const [before, after] = [of("a", "https://m:5000"), of("a", "https://n:5000")];
    const fresh = await operations.check({}, of("b", "https://n:5000"));
    assert.match(fresh.notes?.join("\n") ?? "", /hosts\.toml \(new file\)/);
    assert.deepEqual((await operations.check(before, after)).notes, []);
    const { notes = [], replaces } = await operations.diff({ ...before, endpoints: [] }, after);
    assert.deepEqual(replaces, ["mirrors"]);
    assert.match(notes.join("\n"), /-\[host\."https:\/\/m:5000"\]\n\s+\+\[host\."https:\/\/n:5000"\]/);
    // The engine asks once more, for what takes its place.
    assert.deepEqual((await operations.check({}, after)).notes, []);
  });
});
