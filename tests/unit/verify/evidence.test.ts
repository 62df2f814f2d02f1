import assert from "node:assert/strict";

import { silentLog } from "../../../provider/model/context";
import { findingAbout } from "../../../provider/model/finding";
import { NodeError } from "../../../provider/node";
import type { ImageService, ImageStatus } from "../../../provider/verify/evidence";
import { gatherEvidence } from "../../../provider/verify/evidence";

const digest = `sha256:${"a".repeat(64)}`;
const probeDigest = `sha256:${"b".repeat(64)}`;
const context = { signal: new AbortController().signal, log: silentLog };

const notDeclared = (text: string) =>
  findingAbout("p.example:5007", " ", { kind: "not-as-declared", severity: "error", text });

/** CRI as containerd does it: an image has one id and a list of names; removing one name removes all. */
class Node implements ImageService {
  /** By id. */
  readonly images = new Map<string, ImageStatus>();
  readonly calls: string[] = [];

  constructor(private readonly served: Record<string, string>) {}

  pullImage(name: string): Promise<string> {
    this.calls.push(`pull ${name}`);
    const got = this.served[name];
    if (got === undefined) {
      return Promise.reject(new Error(`${name}: not found`));
    }
    const repository = name.split("@")[0]?.replace(/:[^:/]*$/, "") ?? "";
    const image = this.images.get(got) ?? { repoDigests: [] };
    image.repoDigests.push(`${repository}@${got}`);
    this.images.set(got, image);
    return Promise.resolve(got);
  }

  imageStatus(name: string): Promise<ImageStatus | undefined> {
    const repository = name.split("@")[0]?.replace(/:[^:/]*$/, "") ?? "";
    return Promise.resolve(
      [...this.images.values()].find((image) => image.repoDigests.some((d) => d.startsWith(`${repository}@`))),
    );
  }

  async removeImage(name: string): Promise<void> {
    this.calls.push(`remove ${name}`);
    const image = await this.imageStatus(name);
    for (const [id, one] of this.images) {
      if (one === image) {
        this.images.delete(id);
      }
    }
  }
}

const hosts = [{ host: "gcr.io", mirrors: [{ endpoint: "https://127.0.20.1:5000" }], skipFallback: false }];
const effective = {
  style: "hosts-dir" as const,
  hosts: { "gcr.io": { endpoints: ["https://127.0.20.1:5000"], upstream: true, file: "hosts.toml" } },
  findings: [],
};
const expected = { source: "gcr.io/a/b:1", target: "127.0.20.1:5000/a/b:1", digest };
const probe = { repository: "registry-mirror-probe/probe", tag: "t", digest: probeDigest };
const probeName = `gcr.io/registry-mirror-probe/probe@${probeDigest}`;

describe("evidence from a node", () => {
  it("B1: the probe is taken off first, pulled by digest through the public name, and taken off again", async () => {
    const node = new Node({ [probeName]: probeDigest });
    const found = await gatherEvidence(node, { hosts, images: [], probe, effective }, context);
    assert.deepEqual(found.hosts[0]?.probe, { state: "pulled" });
    assert.deepEqual(node.calls, [`remove ${probeName}`, `pull ${probeName}`, `remove ${probeName}`]);
    assert.equal(node.images.size, 0);
  });

  it("B1: a probe that does not come is asked for by the mirror's own name, once for all its hosts", async () => {
    const node = new Node({});
    const twice = [...hosts, { ...hosts[0], host: "somehost.io" }] as typeof hosts;
    const found = await gatherEvidence(node, { hosts: twice, images: [], probe, effective }, context);
    const own = `127.0.20.1:5000/registry-mirror-probe/probe@${probeDigest}`;
    assert.deepEqual(found.hosts[0]?.probe, {
      state: "failed",
      public: { cause: "not-found", error: `${probeName}: not found` },
      mirrors: [{ endpoint: "https://127.0.20.1:5000", failure: { cause: "not-found", error: `${own}: not found` } }],
    });
    assert.equal(node.calls.filter((call) => call === `pull ${own}`).length, 1);
  });

  it("B1: a mirror that has it by its own name is told apart, and one that cannot be named is not asked", async () => {
    const own = `127.0.20.1:5000/registry-mirror-probe/probe@${probeDigest}`;
    const wanted = { hosts, images: [], probe, effective };
    const given = await gatherEvidence(new Node({ [own]: probeDigest }), wanted, context);
    const unnamed = await gatherEvidence(
      new Node({ [own]: probeDigest }),
      { ...wanted, canName: () => false },
      context,
    );
    const mirrors = [given, unnamed].map(
      ({ hosts: [found] }) => found?.probe.state === "failed" && found.probe.mirrors,
    );
    assert.deepEqual(mirrors, [[{ endpoint: "https://127.0.20.1:5000" }], []]);
  });

  it("an interruption is no evidence", async () => {
    const node = new Node({});
    node.pullImage = () => Promise.reject(new NodeError("NODE_ABORTED", "n", "the operation was interrupted"));
    await assert.rejects(gatherEvidence(node, { hosts, images: [], probe, effective }, context), {
      code: "NODE_ABORTED",
    });
  });

  it("V1: the digest of each name counts, and an image that was not there is taken off again", async () => {
    const node = new Node({ "gcr.io/a/b:1": digest, "127.0.20.1:5000/a/b:1": digest });
    const found = await gatherEvidence(node, { hosts, images: [expected], probe: undefined, effective }, context);
    const asked = { endpoints: ["https://127.0.20.1:5000"], upstream: true };
    assert.deepEqual(found.images, [{ ...expected, publicDigest: digest, mirrorDigest: digest, asked }]);
    assert.equal(node.images.size, 0);
  });

  it("V1: an image that the node had before stays", async () => {
    const node = new Node({ "gcr.io/a/b:1": digest, "127.0.20.1:5000/a/b:1": digest });
    await node.pullImage("gcr.io/a/b:1");
    await gatherEvidence(node, { hosts, images: [expected], probe: undefined, effective }, context);
    assert.equal(node.images.size, 1);
  });

  it("C14: a private registry is not probed; what is missing of it is told, behind a mirror too", async () => {
    const node = new Node({});
    const access = { caPath: "/etc/containerd/certs.d/p.example:5007/ca.crt", credential: "p.example:5007" };
    const all = [...hosts, { host: "p.example:5007", mirrors: [], skipFallback: false, access }];
    const here = { endpoints: ["upstream"], upstream: true, file: "/etc/containerd/certs.d/p.example:5007/hosts.toml" };
    const gather = async (more: object): Promise<unknown> =>
      (
        await gatherEvidence(
          node,
          {
            hosts: all,
            images: [],
            probe: undefined,
            effective: { ...effective, hosts: { ...effective.hosts, ...more } },
          },
          context,
        )
      ).hosts[1];
    const base = {
      host: "p.example:5007",
      expectedEndpoints: [],
      unwantedUpstream: false,
      direct: true,
      probe: { state: "none" },
    };
    assert.deepEqual(
      await gather({ "p.example:5007": { ...here, access: { ca: [access.caPath], credential: true } } }),
      { ...base, effectiveEndpoints: ["upstream"] },
    );
    // The node's own hosts directory, instead of the declared one.
    const elsewhere = {
      ...here,
      file: "/opt/certs/p.example:5007/hosts.toml",
      access: { ca: ["/opt/certs/p.example:5007/ca.crt"], credential: true },
    };
    assert.deepEqual(await gather({ "p.example:5007": elsewhere }), { ...base, effectiveEndpoints: ["upstream"] });
    assert.deepEqual(await gather({ "p.example:5007": here }), {
      ...base,
      effectiveEndpoints: ["upstream"],
      missing: [
        notDeclared(`is asked without the CA ${access.caPath}`),
        notDeclared("is asked without its credentials"),
      ],
    });
    assert.match(JSON.stringify(await gather({})), /nothing is configured for it/);
    assert.match(
      JSON.stringify(await gather({ "p.example:5007": { ...here, endpoints: ["https://m.example", "upstream"] } })),
      /is asked at https:\/\/m\.example, upstream, not directly/,
    );
    assert.deepEqual(node.calls, []);
  });

  it("a mirror's own host entry, which mirrors nothing, is not asked", async () => {
    const found = await gatherEvidence(
      new Node({}),
      { hosts: [{ host: "127.0.20.1:5000", mirrors: [], skipFallback: false }], images: [], probe, effective },
      context,
    );
    assert.deepEqual(found.hosts, []);
  });
});
