import assert from "node:assert/strict";

import type { DesiredHost } from "../../../../provider/containerd/desired";
import type { LayoutChoice } from "../../../../provider/containerd/layout/layouts";
import { renderFiles } from "../../../../provider/containerd/render/renderFiles";
import { silentLog } from "../../../../provider/model/context";
import { MirrorError } from "../../../../provider/model/errors";
import { findingText } from "../../../../provider/model/finding";
import type { Node, NodeObservation } from "../../../../provider/node";
import { isToken } from "../../../../provider/node";
import { stableText, unknownValue } from "../../../../provider/pulumi/plainValue";
import { Declarations } from "../../../../provider/resources/node/declaration";
import { findDrift } from "../../../../provider/resources/node/drift";
import { nodeContainerd } from "../../../../provider/resources/node/operations";
import { NewOwners, ownerOf } from "../../../../provider/resources/node/owner";
import { reviewedFiles } from "../../../../provider/resources/node/review";
import { readVerify, showVerify } from "../../../../provider/resources/node/shownVerify";
import type { NodeContainerdInputs, NodeContainerdOutputs } from "../../../../provider/resources/node/state";
import {
  desiredBefore,
  desiredOf,
  filesOf,
  mirrorOf,
  rememberedState,
  stateOf,
  verifyOf,
} from "../../../../provider/resources/node/state";
import type { StoredNode } from "../../../../provider/resources/node/stored";
import { recallNode, storeNode } from "../../../../provider/resources/node/stored";
import type { NodeWire } from "../../../../provider/resources/node/wire";
import type { NodeVerification } from "../../../../provider/verify/nodeVerification";
import { CertificateFolder } from "../../registry/kit/certificates";

const endpoint = "https://127.0.0.1:5000/v2/ns";
const caPath = "/etc/containerd/certs.d/127.0.0.1:5000/ca.crt";
const hostsDir = "/etc/containerd/certs.d";
const hosts: DesiredHost[] = ["gcr.io", "quay.io", "docker.io"].map((host) => ({
  host,
  mirrors: [{ endpoint, caPath, credential: "127.0.0.1:5000" }],
  skipFallback: false,
}));
const sealed: DesiredHost = {
  host: "ghcr.io",
  mirrors: [{ endpoint, caPath, credential: "127.0.0.1:5000" }],
  skipFallback: true,
};
const image = { source: "gcr.io/a/b:1", target: "127.0.0.1:5000/ns/a/b:1", digest: `sha256:${"a".repeat(64)}` };
const probe = { repository: "registry-mirror-probe/probe", tag: "probe-1", digest: `sha256:${"b".repeat(64)}` };

describe("what the state keeps of a node", () => {
  const certificates = new CertificateFolder();
  const ca = certificates.authority("Our registry").cert;
  after(() => certificates.remove());

  const files = (all: DesiredHost[] = [...hosts, sealed]): Record<string, string> =>
    renderFiles(all, { [caPath]: ca }, hostsDir);
  const declarations = new Declarations();
  const wire = (all: DesiredHost[] = [...hosts, sealed], texts = files(all)): NodeWire => ({
    connection: { host: "127.0.0.1" },
    credentials: {},
    declared: {
      mirror: stableText({ value: { hosts: all, auth: { "127.0.0.1:5000": "basic" }, hostsDir } }),
      files: stableText(texts),
      verify: stableText({ value: false }),
    },
  });
  const inputs = (all?: DesiredHost[]): NodeContainerdInputs => ({
    connection: { host: "127.0.0.1" },
    ...declarations.check(wire(all)),
    credentials: { "127.0.0.1:5000": { username: "u", password: "geheim" } },
    verify: showVerify({ images: [image], probe }),
  });

  const desired = (declared: NodeContainerdInputs) => desiredOf(declared, declarations.get(declared.mirror));
  const state = (declared: NodeContainerdInputs) => stateOf(declared, declarations.get(declared.mirror));

  it("B2: every text is shown once: hosts that are alike but for the public registry, and a certificate by what it says", () => {
    const reviewed = reviewedFiles(files());
    const shown = (host: string): string =>
      (files()[`${hostsDir}/${host}/hosts.toml`] as string).replace(/^# Managed by .*\n/, "");
    assert.equal(reviewed[`${hostsDir}/gcr.io/hosts.toml`], shown("gcr.io"));
    assert.match(
      reviewed[`${hostsDir}/docker.io/hosts.toml`] ?? "",
      /^as gcr\.io\/hosts\.toml, with server = "https:\/\/.*docker\.io"$/,
    );
    assert.equal(reviewed[`${hostsDir}/quay.io/hosts.toml`], 'as gcr.io/hosts.toml, with server = "https://quay.io"');
    for (const own of ["ghcr.io", "127.0.0.1:5000"]) {
      assert.equal(reviewed[`${hostsDir}/${own}/hosts.toml`], shown(own), `${own} is not like the others`);
    }
    assert.match(reviewed[caPath] ?? "", /^CN=Our registry, O=registry test, valid until .+ GMT\n[\w-]{22}$/);
  });

  it("B2: another certificate with the same words is another line", () => {
    const other = certificates.authority("Our registry").cert;
    assert.notEqual(reviewedFiles({ [caPath]: other })[caPath], reviewedFiles({ [caPath]: ca })[caPath]);
  });

  it("what is written is exactly what was declared, and can be made again from the state and the node", () => {
    const declared = inputs();
    assert.deepEqual(desired(declared).files, files());
    const outs = state(declared);
    const onNode = Object.fromEntries(Object.entries(files()).map(([path, text]) => [path, { text, mode: 0o644 }]));
    const { files: again, lost } = filesOf(outs, { versionText: "", configPath: "", files: onNode, owned: {} });
    assert.deepEqual(again, files());
    assert.deepEqual(lost, []);
    const before = desiredBefore(outs, again);
    const byHost = (all: DesiredHost[]): DesiredHost[] => [...all].sort((a, b) => (a.host < b.host ? -1 : 1));
    assert.deepEqual(
      { ...before, hosts: byHost(before.hosts) },
      { ...desired(declared), hosts: byHost(desired(declared).hosts) },
    );
  });

  it("a certificate that the node lost, or has otherwise, is named", () => {
    const outs = state(inputs());
    const observed = {
      versionText: "",
      configPath: "",
      files: { [caPath]: { text: "another", mode: 0o644 } },
      owned: {},
    };
    assert.deepEqual(filesOf(outs, observed).lost, [{ path: caPath, place: caPath }]);
  });

  it("L5: it is named where it was on the node, whose layout may have another hosts directory, and once", async () => {
    const observed = { versionText: "", configPath: "", files: {}, hostsDir: "/k3s/certs.d", owned: {} };
    const outs = state(inputs());
    const place = "/k3s/certs.d/127.0.0.1:5000/ca.crt";
    assert.deepEqual(filesOf(outs, observed).lost, [{ path: caPath, place }]);
    // Where our record says, first: k3s has those of listed hosts in a folder of their own.
    const listed = "/etc/rancher/k3s/registry-mirror/127.0.0.1:5000/ca.crt";
    const seen = { ...observed, owned: { [listed]: "sha256:0" } };
    assert.deepEqual(filesOf(outs, seen).lost, [{ path: caPath, place: listed }]);

    const versionText = "containerd containerd.io 2.1.9 0123456789";
    const drift = await driftOf({ ...observed, versionText, configPath: "/k3s/config.toml" });
    assert.deepEqual(
      drift.filter((text) => text.includes("ca.crt")),
      [`${place}: missing`],
    );
  });

  it("L5: of a node that became another kind: that the one it was is gone, and nothing of its files", async () => {
    const gone = { versionText: "", configPath: "", files: {}, binary: "", unitState: "not-found" };
    assert.deepEqual(await driftOf(gone, "rke2"), ["rke2 is not installed any more"]);
    assert.deepEqual(await driftOf(gone, "custom"), ["containerd is not installed any more"]);
  });

  /** What a refresh says of a node that is found so. */
  async function driftOf(seen: Partial<NodeObservation>, layout = "k3s"): Promise<string[]> {
    const token = "00000000000000aa";
    const observed = {
      ...{ binary: "/b", unitState: "loaded", serviceState: "active", notLoaded: false },
      ...{ files: {}, owned: {}, stats: {}, directories: [], socketPath: "/s" },
      ...{ record: { owner: "urn", token, files: [], directories: [] }, ...seen },
    };
    const node = { name: "n", observe: () => Promise.resolve(observed), cri: () => ({ close: () => undefined }) };
    const containerd = { version: "2.1.9", configStyle: "hosts-dir" as const, restarts: 0, layout };
    const outs = { ...state(inputs()), verify: false as const, containerd } as unknown as NodeContainerdOutputs;
    const { drift } = await findDrift(node as unknown as Node, outs, { urn: "urn", token });
    return drift?.findings.map(findingText) ?? [];
  }

  it("the images to compare come back from what was verified", () => {
    const verified = {
      image: image.source,
      mirrorImage: image.target,
      expectedDigest: image.digest,
      publicRepoDigest: "",
      mirrorRepoDigest: "",
      match: false,
    };
    const outs = {
      ...state(inputs()),
      verification: { node: "n", containerd: "1.7.24", verdict: "mismatch" as const, hosts: [], images: [verified] },
    };
    const shown = verifyOf(outs);
    assert.ok(shown !== false);
    assert.deepEqual(shown, showVerify({ images: [image], probe }));
    assert.deepEqual(shown, {
      images: [`${image.source} = ${image.target}@${image.digest}`],
      probe: `${probe.repository}:${probe.tag}@${probe.digest}`,
    });
    assert.deepEqual(readVerify(shown), { images: [image], probe });
    assert.throws(() => readVerify({ images: ["edited"] }), /"edited" in the state/);
    assert.equal(verifyOf(state({ ...inputs(), verify: false })), false);
  });

  it("the state's own form of a node comes back as it was, the verification too", () => {
    const host = {
      endpoints: [endpoint, "upstream"],
      configured: true,
      proof: "proven" as const,
      verdict: "proven" as const,
    };
    const equal = {
      image: image.source,
      mirrorImage: image.target,
      expectedDigest: image.digest,
      publicRepoDigest: image.digest,
      mirrorRepoDigest: image.digest,
      match: true,
    };
    const odd = { ...equal, image: "gcr.io/c:1", mirrorRepoDigest: "" };
    const other = { ...equal, image: "gcr.io/d:1", publicRepoDigest: probe.digest, match: false };
    const verification: NodeVerification = {
      node: "n",
      containerd: "1.7.24",
      verdict: "mismatch",
      hosts: [
        { host: "gcr.io", ...host },
        { host: "quay.io", ...host },
        { host: "docker.io", ...host, proof: "failed", verdict: "fallback" },
      ],
      images: [equal, odd, other],
      findings: ["one"],
    };
    const outs = {
      ...state(inputs()),
      containerd: { version: "1.7.24", configStyle: "hosts-dir" as const, restarts: 1 },
      verification,
    };
    const stored = storeNode(outs);
    assert.deepEqual(recallNode(JSON.parse(JSON.stringify(stored)) as typeof stored), outs);
    assert.deepEqual(stored.verification, verification, "an output as the program sees it");
    assert.deepEqual(recallNode(storeNode(state(inputs()))), state(inputs()));
  });

  it("a state of 0.1.0, whose verification is a text, is read, and has the new form after the next change", async () => {
    const text =
      '{"containerd":"1.7.24","hosts":[{"configured":true,"endpoints":["e","upstream"],"hosts":["gcr.io","quay.io"],' +
      `"proof":"proven","verdict":"proven"}],"images":[{"expectedDigest":"${image.digest}","image":"${image.source}",` +
      `"mirrorImage":"${image.target}"}],"node":"n","verdict":"proven"}`;
    const declared = inputs();
    const containerd = { version: "1.7.24", configStyle: "hosts-dir" as const, restarts: 1 };
    const old = { ...storeNode({ ...state(declared), containerd }), verified: text } as StoredNode;
    const { verification } = recallNode(old);
    assert.deepEqual(
      verification?.hosts.map(({ host, endpoints }) => [host, ...endpoints]),
      [
        ["gcr.io", "e", "upstream"],
        ["quay.io", "e", "upstream"],
      ],
    );
    assert.deepEqual([verification.images[0]?.match, verification.images[0]?.mirrorRepoDigest], [true, image.digest]);
    assert.equal((await nodeContainerd.diff?.("n:22", old, declared))?.changes, false);
    // Connecting would fail: it is only remembered.
    const outs = (await nodeContainerd.update?.("n:22", old, { ...declared, criTimeout: 7 }))?.outs as StoredNode;
    assert.deepEqual([outs.verification, outs.verified], [verification, undefined]);
  });

  it("what is only remembered drops what is no longer declared", () => {
    const olds = {
      ...state({ ...inputs(), criTimeout: 5, adopt: true }),
      drift: ["x"],
      containerd: { version: "1.7.24", configStyle: "hosts-dir" as const, restarts: 1 },
    };
    const remembered = rememberedState(olds, { ...inputs(), connection: { host: "127.0.0.1", user: "admin" } });
    assert.deepEqual([remembered.criTimeout, remembered.adopt, remembered.drift], [undefined, undefined, undefined]);
    assert.deepEqual(
      [remembered.connection.user, remembered.containerd?.restarts, remembered.filesDigest],
      ["admin", 1, olds.filesDigest],
    );
  });

  describe("N5: another layout", () => {
    const containerd = { version: "1.7.24", configStyle: "hosts-dir" as const, restarts: 1 };
    const places = { configPath: "/o/c.toml", hostsDir: "/o/hosts", socketPath: "/run/o.sock", unit: "o" };
    const difference = async (before: LayoutChoice | undefined, found: string | undefined, now?: LayoutChoice) => {
      const at = (layout?: LayoutChoice) => ({
        ...inputs(),
        verify: false as const,
        ...(layout === undefined ? {} : { layout }),
      });
      const outs = {
        ...state(at(before)),
        containerd: { ...containerd, ...(found === undefined ? {} : { layout: found }) },
      };
      const {
        changes,
        replaces = [],
        deleteBeforeReplace,
      } = (await nodeContainerd.diff?.("n:22", storeNode(outs), at(now))) ?? {};
      return [changes, replaces.join(), deleteBeforeReplace === true];
    };

    it("replaces the node, the old place restored first; to name what was found is only remembered", async () => {
      assert.deepEqual(await difference(undefined, "containerd"), [false, "", false]);
      assert.deepEqual(
        await difference(undefined, undefined),
        [false, "", false],
        "a state of before there were layouts",
      );
      assert.deepEqual(await difference(undefined, undefined, "auto"), [false, "", false]);
      assert.deepEqual(await difference("auto", "containerd", "containerd"), [true, "", false]);
      assert.deepEqual(await difference("containerd", "containerd"), [true, "", false]);
      assert.deepEqual(await difference("auto", "containerd", places), [true, "layout", true]);
      assert.deepEqual(await difference(places, "custom"), [true, "layout", true]);
      assert.deepEqual(await difference(places, "custom", places), [false, "", false]);
      assert.deepEqual(await difference(places, "custom", { ...places, unit: "p" }), [true, "layout", true]);
    });

    it("a certificate is found again below the hosts directory that the node has instead", () => {
      const moved = Object.fromEntries(
        Object.entries(files()).map(([path, text]) => [path.replace(hostsDir, "/o/hosts"), { text, mode: 0o644 }]),
      );
      const owned = Object.fromEntries(Object.keys(moved).map((path) => [path, ""]));
      const observed = { versionText: "", configPath: "", files: moved, owned };
      assert.deepEqual(filesOf(state(inputs()), observed), { files: files(), lost: [] });
      assert.deepEqual(
        filesOf(state(inputs()), { ...observed, owned: {} }).lost,
        [{ path: caPath, place: caPath }],
        "only among our own files",
      );
    });
  });

  describe("whose the node is", () => {
    const then = "urn:pulumi:dev::p::t::n";
    const now = "urn:pulumi:prod::p::t::n";
    const containerd = { version: "1.7.24", configStyle: "hosts-dir" as const, restarts: 1 };
    const declared: NodeContainerdInputs = { ...inputs(), verify: false };
    const stored = (token?: string): StoredNode => ({
      ...storeNode({ ...state(declared), containerd, ...(token === undefined ? {} : { token }) }),
      resourceUrn: then,
    });
    const context = { urn: now, signal: new AbortController().signal, log: silentLog };
    /** What the state is after an update that does not touch the node, under a new name. */
    const updated = async (olds: StoredNode, changes: object): Promise<StoredNode> => {
      const outs = (await nodeContainerd.update?.("n:22", olds, { ...declared, ...changes, resourceUrn: now }))
        ?.outs as StoredNode;
      assert.equal(outs.resourceUrn, now);
      return outs;
    };
    const untouching = [{ connection: { host: "127.0.0.1", user: "admin" } }, { hold: true }];

    it("a token stays, whatever the name", async () => {
      for (const changes of untouching) {
        const owner = ownerOf(recallNode(await updated(stored("0123456789abcdef"), changes)), context);
        assert.deepEqual(owner, { urn: now, token: "0123456789abcdef" });
      }
    });

    it("a state of 0.1.0 is known by the URN under which it last touched the node, also when only other things changed since", async () => {
      const first = ownerOf(recallNode(stored()), context);
      assert.ok(isToken(first.token));
      assert.deepEqual(first.earlier, [then, now]);
      for (const changes of untouching) {
        assert.deepEqual(ownerOf(recallNode(await updated(stored(), changes)), context).earlier, [then, now]);
      }
    });

    it("a forced replacement of a held node touches nothing: neither the create nor the delete of the replaced one", async () => {
      // As in a run: the provider knows a declaration by its check.
      await nodeContainerd.check?.({}, wire());
      const created = await nodeContainerd.create({ ...declared, hold: true, resourceUrn: then });
      const { id } = created;
      assert.equal(id, "127.0.0.1:22");
      assert.equal((created.outs as StoredNode).containerd, undefined);
      // Connecting would fail.
      const unreachable = { ...stored(), connection: { host: "127.0.0.1", privateKeyPath: "/no/such/key" } };
      await nodeContainerd.delete?.(id, unreachable);
      await assert.rejects(
        async () => nodeContainerd.delete?.(id, { ...unreachable, resourceUrn: now }),
        /no\/such\/key/,
      );
    });

    it("what is created has a token of its own, which is no difference to what is declared", async () => {
      const owners = new NewOwners();
      const [one, other] = [owners.create(context), owners.create(context)];
      assert.ok(
        isToken(one.token) &&
          one.token !== other.token &&
          owners.isOfThisRun(one.token) &&
          !owners.isOfThisRun("00000000000000ff"),
      );
      assert.deepEqual(await nodeContainerd.diff?.("n:22", stored(one.token), { ...declared, resourceUrn: now }), {
        changes: false,
      });
    });
  });

  it("C14: private registries come back from the state as they were declared", () => {
    const access = { caPath: `${hostsDir}/p.example:5007/ca.crt`, credential: "p.example:5007" };
    const all: DesiredHost[] = [
      ...hosts,
      { host: "p.example:5007", mirrors: [], skipFallback: false, access },
      { ...sealed, skipFallback: false, access: { credential: "ghcr.io" } },
    ];
    const texts = renderFiles(all, { [caPath]: ca, [access.caPath]: ca }, hostsDir);
    const checked = declarations.check(wire(all, texts));
    const outs = recallNode(storeNode(state({ ...inputs(), ...checked })));
    assert.deepEqual(mirrorOf(outs).hosts, all);
    const seen = {
      versionText: "containerd 2.1.9",
      configPath: "/etc/containerd/config.toml",
      owned: {},
      files: { [caPath]: { text: ca, mode: 0o644 }, [access.caPath]: { text: ca, mode: 0o644 } },
    };
    assert.deepEqual(filesOf(outs, seen).files, texts);
  });

  it("C15: a state of 0.1.0, which knows no dial timeout, is drawn as it was: no drift, no change before the next up", () => {
    assert(!JSON.stringify(storeNode(state(inputs()))).includes("dialTimeout"));
    const seen = {
      versionText: "containerd 2.1.9",
      configPath: "/etc/containerd/config.toml",
      owned: {},
      files: { [caPath]: { text: ca, mode: 0o644 } },
    };
    assert.deepEqual(filesOf(state(inputs()), seen).files, files());
    const timed = hosts.map((host) => ({
      ...host,
      mirrors: host.mirrors.map((mirror) => ({ ...mirror, dialTimeout: 1 })),
    }));
    assert.deepEqual(filesOf(state(inputs(timed)), seen).files, files(timed));
    assert.match(files(timed)[`${hostsDir}/gcr.io/hosts.toml`] ?? "", /dial_timeout = "1s"/);
  });

  it("the scale of the issue: below 6 kB, the engine's own part not counted, and hardly more for twenty hosts", () => {
    const size = (all: DesiredHost[]): number =>
      Buffer.byteLength(JSON.stringify([inputs(all), storeNode(state(inputs(all)))]));
    assert.ok(size(hosts) < 3000, `${size(hosts)} bytes`);
    const twenty = Array.from({ length: 20 }, (_, i): DesiredHost => ({
      ...(hosts[0] as DesiredHost),
      host: `r${i}.example`,
    }));
    assert.ok(size(twenty) < size(hosts) + 17 * 160, `${size(twenty)} bytes`);
  });

  describe("in a preview and with ignoreChanges", () => {
    it("B2: files are shown although it is not known yet how the mirror asks for credentials", () => {
      const checked = declarations.check({ ...wire(), declared: { ...wire().declared, mirror: unknownValue } });
      assert.deepEqual(checked, { mirror: unknownValue, files: reviewedFiles(files()) });
    });

    it("files that are not known make the whole not known", () => {
      const checked = declarations.check({ ...wire(), declared: { ...wire().declared, files: unknownValue } });
      assert.deepEqual(checked, { mirror: unknownValue, files: unknownValue });
    });

    it("what the state brings back goes through; half of it is refused, by name", async () => {
      const { mirror, files: kept } = inputs();
      assert.deepEqual(declarations.check({ ...wire(), mirror, files: kept }), { mirror, files: kept });
      for (const half of [{ mirror }, { files: kept }]) {
        const { failures } = (await nodeContainerd.check?.({}, { ...wire(), ...half })) ?? {};
        assert.match(failures?.[0]?.reason ?? "", /ignoreChanges names only one of mirror and files/);
      }
    });

    it("a node that is declared twice is an error before it is touched; the same resource checked again is none", async () => {
      const check = async (name: string, host: string): Promise<string[]> => {
        const news = {
          ...wire(),
          connection: { host },
          resourceUrn: `urn:pulumi:s::p::t::${name}`,
        };
        return (await nodeContainerd.check?.({}, news))?.failures?.map(({ reason }) => reason) ?? [];
      };
      assert.deepEqual(await check("first", "twice.example"), []);
      assert.deepEqual(await check("first", "twice.example"), []);
      assert.match(
        (await check("second", "twice.example")).join(),
        /twice\.example:22 is the node of "first" already, and here it is that of "second"/,
      );
    });

    it("a declaration that no check has seen is an error with a way out", () => {
      assert.throws(
        () => declarations.get("never seen"),
        (error: unknown) =>
          error instanceof MirrorError && error.code === "DECLARATION_UNKNOWN" && error.message.includes("hold: true"),
      );
    });
  });
});
