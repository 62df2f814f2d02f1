import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { silentLog } from "../../provider/model/context";
import type { CriClient } from "../../provider/node";
import { closeIdleNodes, connectNode } from "../../provider/node";
import { renderReport } from "../../provider/verify/report";
import type { NodeVerification, Verdict } from "../../sdk";
import type { ConfigValue, OperationResult, ProgramStack } from "../engine/program";
import { openStack } from "../engine/program";
import type { Lab, LabNode } from "../lab/lab";
import { compareSnapshots, sharedLabOrSkip } from "../lab/lab";
import { htpasswdLine } from "../lab/lab/secrets";
import { acceptManifests, ask } from "../lab/registry/kit/readBack";

type Args = Record<string, unknown>;

describe("verdicts, drift and nodes that are gone, through whole programs", function () {
  let lab: Lab;
  let node: LabNode;
  let folder: string;
  let stacks = 0;

  before(async function () {
    lab = await sharedLabOrSkip(this);
    folder = mkdtempSync(join(tmpdir(), "registry-mirror-verdicts-"));
    node = lab.node("forky");
  });
  beforeEach(async () => {
    await node.reset();
    await lab.mirror.reset();
    await lab.public.reset();
  });
  after(() => {
    if (folder !== undefined) {
      rmSync(folder, { recursive: true, force: true });
    }
  });

  const access = (): Args => ({
    caCertPath: lab.mirror.caCertPath,
    username: lab.mirror.username,
    password: lab.mirror.password,
  });

  function program(
    changes: { mirrorEndpoint?: string; verify?: unknown; node?: Args } = {},
  ): Record<string, ConfigValue> {
    const config = {
      images: { source: lab.packages.tar.path, registry: { endpoint: `${lab.mirror.hostPort}/ns`, ...access() } },
      mirror: {
        registryMirrors: [
          { endpoint: changes.mirrorEndpoint ?? `${lab.mirror.endpoint}/v2/ns`, ...access(), hosts: ["somehost.io"] },
        ],
      },
      nodes: {
        node: {
          connection: {
            host: node.address,
            port: node.port,
            privateKeyPath: lab.keys.plain.privateKeyPath,
            hostKey: node.hostKey,
            dialErrorLimit: 1,
            perDialTimeout: 30,
          },
          ...(changes.verify === undefined ? {} : { verify: changes.verify }),
          ...changes.node,
        },
      },
    };
    return config;
  }

  function open(config: Record<string, ConfigValue>): Promise<ProgramStack> {
    stacks += 1;
    return openStack({
      programDir: join(__dirname, "programs", "flexible"),
      stateDir: join(folder, `state-${stacks}`),
      stack: `s${stacks}`,
      config,
    });
  }

  const verified = (result: OperationResult): NodeVerification => {
    assert.ok(result.ok, `${result.stdout}\n${result.stderr}`);
    return (JSON.parse(result.outputs["verification"] as string) as NodeVerification[])[0] as NodeVerification;
  };
  /** By cause, with its evidence, and nothing in it that is secret or another each time. */
  const assertCause = ({ verdict, hosts, images }: NodeVerification, wanted: Verdict, cause: string): void => {
    assert.equal(verdict, wanted);
    assert.ok(hosts.length > 0 && images.length > 0);
    for (const found of [...hosts, ...images]) {
      assert.deepEqual([found.verdict, found.cause], [wanted, cause], found.error);
      assert.doesNotMatch(found.error ?? "?", /[?]|password/);
    }
  };
  /** The node's own images, over its CRI. */
  async function onNode<T>(work: (cri: CriClient) => Promise<T>): Promise<T> {
    const { privateKeyPath } = lab.keys.plain;
    const { address: host, port, hostKey } = node;
    const context = { signal: new AbortController().signal, log: silentLog };
    const connection = await connectNode({ host, port, privateKeyPath, hostKey }, context);
    const cri = connection.cri();
    try {
      return await work(cri);
    } finally {
      cri.close();
      connection.close();
      await closeIdleNodes();
    }
  }
  const printed = (result: OperationResult): string => `${result.stdout}\n${result.stderr}`;

  it("V1: verify.images: a number, all, or names", async () => {
    const stack = await open(program({ verify: { images: 2 } }));
    assert.equal(verified(await stack.up()).images.length, 2);
    await stack.setConfig(program({ verify: { images: "all" } }));
    const restarts = await node.containerdRestarts();
    const all = verified(await stack.up());
    const mirrored = lab.packages.tar.images.filter((image) => /^(gcr|somehost)\.io\//.test(image.name));
    assert.deepEqual(
      all.images.map((i) => [i.image, i.expectedDigest]).sort(),
      mirrored.map((i) => [i.name, i.digest]).sort(),
    );
    assert.ok(all.images.every((image) => image.match));
    assert.equal(await node.containerdRestarts(), restarts, "verifying again writes nothing and restarts nothing");
    const name = mirrored[0]?.name ?? "";
    await stack.setConfig(program({ verify: { images: [name] } }));
    assert.deepEqual(
      verified(await stack.up()).images.map((image) => image.image),
      [name],
    );
  });

  it("B1: a node that pulls from upstream is fallback: an error that gives the node back what it had", async () => {
    await lab.pushPublic(lab.packages.folder);
    const before = node.snapshot("/etc");
    // The nodes are pointed at a namespace that has nothing: every pull succeeds all the same, from the public
    // registry.
    const stack = await open(program({ mirrorEndpoint: `${lab.mirror.endpoint}/v2/empty` }));
    const up = await stack.up();
    assert.equal(up.ok, false);
    assert.match(printed(up), /verdict "fallback".*\[VERIFICATION_FAILED\]/);
    assert.match(printed(up), /probe image did not come through the public name/);
    assert.deepEqual(compareSnapshots(before, node.snapshot("/etc")), []);
    assert.equal((await node.exec("systemctl is-active containerd")).stdout.trim(), "active");
  });

  it("L4: what would not come from the mirror is an output and a warning, an error where that is wanted, and a refresh sees what changed", async () => {
    const [foreign] = lab.packages.publicOnly.images;
    assert.ok(foreign !== undefined);
    await lab.pushPublic();
    await onNode((cri) => cri.pullImage(foreign.name));
    const before = node.snapshot("/etc");
    const restarts = await node.containerdRestarts();
    // Nothing is touched: no file, no restart.
    const stack = await open(program({ verify: { coverage: "error" } }));
    const refused = await stack.up();
    assert.ok(!refused.ok);
    assert.match(printed(refused), /COVERAGE_GAPS/);
    assert.ok(printed(refused).includes(foreign.name), printed(refused));
    assert.deepEqual(compareSnapshots(before, node.snapshot("/etc")), []);
    assert.equal(await node.containerdRestarts(), restarts);

    await stack.setConfig(program());
    const up = await stack.up();
    const { coverage } = verified(up);
    const gap = coverage?.gaps.find(({ image }) => image === foreign.name);
    assert.equal(gap?.digest, foreign.digest, JSON.stringify(coverage));
    assert.match(printed(up), /images? would come from the mirror if the public registries were gone/);
    // Of a refresh and a second up nothing comes of it, as long as the node has the same images.
    const same = await stack.refresh();
    assert.ok(same.ok && same.changes["update"] === undefined, printed(same));

    await onNode((cri) => cri.removeImage(foreign.name));
    const refreshed = await stack.refresh();
    assert.ok(refreshed.ok, printed(refreshed));
    const again = await stack.up();
    assert.deepEqual(
      verified(again).coverage?.gaps.filter(({ image }) => image === foreign.name),
      [],
    );
    assert.equal(again.changes["update"], undefined, printed(again));

    await stack.setConfig(program({ verify: { coverage: false } }));
    assert.equal(verified(await stack.up()).coverage, undefined);
    await stack.destroy();
  });

  it("S3: what the node runs and the mirror lacks is brought there, and coverage has no gap of it left; its registry need not be reached again", async () => {
    const [foreign] = lab.packages.publicOnly.images;
    assert.ok(foreign !== undefined);
    const [host = ""] = foreign.name.split("/");
    await lab.pushPublic();
    await onNode((cri) => cri.pullImage(foreign.name));
    const { hostPort: endpoint } = lab.public;
    const registries = { [host]: { endpoint, insecure: true } };
    const connection = program().nodes as { node: { connection: object } };
    const mirrored = {
      registryMirrors: [{ endpoint: `${lab.mirror.endpoint}/v2/held`, ...access(), hosts: [host] }],
    };
    const config = {
      ...program(),
      images: { registry: { endpoint: `${lab.mirror.hostPort}/held`, ...access() } },
      mirror: mirrored,
      imagesOn: { nodes: [connection.node.connection], args: { hosts: [host], registries } },
    };
    const stack = await open(config);
    const preview = await stack.preview();
    assert.ok(printed(preview).includes(`  + ${foreign.name}\n`), printed(preview));
    const up = await stack.up();
    const gaps = verified(up).coverage?.gaps.filter(({ image }) => image === foreign.name);
    assert.deepEqual(gaps, [], JSON.stringify(verified(up).coverage));
    const [pushed] = up.outputs["images"] as { source: string; digest: string }[];
    assert.deepEqual([pushed?.source, pushed?.digest], [foreign.name, foreign.digest]);
    assert.equal((await stack.up()).changes["update"], undefined);

    // Another probe is another push: what the mirror has by now is read there.
    lab.public.stop();
    try {
      await stack.setConfig({ ...config, images: { ...config.images, probeRepository: "elsewhere/probe" } });
      const offline = await stack.up();
      assert.ok(offline.ok, printed(offline));
    } finally {
      await lab.public.start();
    }
    // A node that cannot be asked is an error before anything is pushed or deleted.
    await stack.setConfig({
      ...config,
      imagesOn: { nodes: [{ ...connection.node.connection, port: 1 }], args: { hosts: [host], registries } },
    });
    const refused = await stack.preview();
    assert.ok(!refused.ok);
    assert.match(printed(refused), /NODE_UNREACHABLE/);
    await stack.setConfig(config);
    await stack.destroy();
  });

  it('B1: with onFailure "warn" the change is kept and the verdict says fallback, equal digests or not', async () => {
    await lab.pushPublic(lab.packages.folder);
    const stack = await open(
      program({ mirrorEndpoint: `${lab.mirror.endpoint}/v2/empty`, verify: { onFailure: "warn" } }),
    );
    const up = await stack.up();
    const result = verified(up);
    assert.equal(result.verdict, "fallback");
    assert.ok(
      result.images.every((image) => image.match),
      "the digests are equal all the same: method 1 alone would have called this proven",
    );
    assert.match(printed(up), /kept, because verify\.onFailure is "warn"/);
    assert.notEqual(await node.readFile("/etc/containerd/certs.d/gcr.io/hosts.toml"), undefined);
  });

  it("V1: a mirror that serves another digest than was pushed is a mismatch", async () => {
    const stack = await open(program({ verify: { images: 1, onFailure: "warn" } }));
    const first = verified(await stack.up());
    const victim = first.images[0];
    assert.ok(victim);
    // Somebody overwrites the tag in the mirror with another image.
    const other = lab.packages.tar.images.find((image) => image.name !== victim.image && !image.platforms);
    assert.ok(other);
    const target = `docker://${victim.mirrorImage}`;
    const from = `docker://${lab.mirror.hostPort}/ns/${other.name.slice(other.name.indexOf("/") + 1)}`;
    const login = `${lab.mirror.username}:${lab.mirror.password}`;
    execFileSync("skopeo", [
      "copy",
      "-q",
      "--src-creds",
      login,
      "--dest-creds",
      login,
      "--src-tls-verify=false",
      "--dest-tls-verify=false",
      from,
      target,
    ]);
    await stack.setConfig(program({ verify: { images: [victim.image], onFailure: "error" } }));
    const up = await stack.up();
    assert.equal(up.ok, false);
    assert.match(printed(up), /verdict "mismatch"/);
    assert.ok(
      printed(up).includes(victim.expectedDigest) && printed(up).includes(other.digest),
      "both digests are named",
    );
    const refresh = await stack.refresh();
    assert.match(printed(refresh), new RegExp(`is now ${other.digest}`), "B7: refresh sees the moved tag");
    await stack.setConfig(program({ verify: { images: 1 } }));
    assert.equal(verified(await stack.up()).verdict, "proven", "up repairs it");
  });

  it("B7: images that are gone from the registry show at refresh, and up sends them again", async () => {
    const declared = program();
    const stack = await open({ ...declared, images: { ...(declared["images"] as object), check: "blobs" } });
    const { outputs } = await stack.up();
    // What its storage lost below an intact tag a registry tells nobody until a node pulls it.
    const [pushed] = outputs["images"] as { source: string; digest: string }[];
    const path = `ns/${pushed?.source.replace(/^[^/]+\//, "").replace(/:[^:]+$/, "")}`;
    const { layers } = JSON.parse(
      (await ask(lab.mirror, "GET", `/v2/${path}/manifests/${pushed?.digest}`, acceptManifests)).body.toString(),
    ) as { layers: { digest: string }[] };
    const blob = `/v2/${path}/blobs/${layers[0]?.digest}`;
    assert.equal((await ask(lab.mirror, "DELETE", blob)).status, 202);
    const found = await stack.refresh();
    assert.ok(printed(found).includes(`${pushed?.source}: its tag is there, and ${layers[0]?.digest} of it gone`));
    assert.equal((await stack.up()).changes["update"], 1);
    assert.equal((await ask(lab.mirror, "HEAD", blob)).status, 200);
    const settled = await stack.refresh();
    assert.equal(settled.changes["update"], undefined, printed(settled));

    await lab.mirror.reset();
    const refresh = await stack.refresh();
    assert.match(printed(refresh), /no longer has what was pushed/);
    assert.match(printed(refresh), /is gone/);
    const preview = await stack.preview();
    assert.deepEqual(preview.steps.find((step) => step.name === "images")?.op, "update");
    assert.equal(verified(await stack.up()).verdict, "proven");
  });

  it("B4, C9: two stacks on one node: the second is refused by name, and the first's work stays", async () => {
    const first = await open(program());
    verified(await first.up());
    const before = node.snapshot("/etc");
    const second = await open(program());
    const up = await second.up();
    assert.equal(up.ok, false);
    assert.match(printed(up), /already configured by urn:pulumi:s\d+::flexible/);
    assert.match(printed(up), /adopt: true/);
    assert.deepEqual(compareSnapshots(before, node.snapshot("/etc")), []);
  });

  it("B7: a node that cannot be reached keeps its state at refresh and says so; destroying it needs forgetUnreachable", async () => {
    const stack = await open(program());
    verified(await stack.up());
    node.kill();
    try {
      const refresh = await stack.refresh();
      assert.ok(refresh.ok, printed(refresh));
      assert.match(printed(refresh), /the state is kept as it was/);
      assert.deepEqual(Object.keys((await stack.preview()).changes), ["same"], "nothing is forgotten");
      const destroy = await stack.destroy();
      assert.equal(destroy.ok, false);
      assert.match(printed(destroy), /forgetUnreachable: true/);
      await stack.setConfig(program({ node: { forgetUnreachable: true } }));
      const up = await stack.up();
      assert.ok(up.ok, "only remembered, so no dialling is needed");
      const again = await stack.destroy();
      assert.ok(again.ok, printed(again));
      assert.match(printed(again), /forgotten without restoring it/);
    } finally {
      await node.boot();
    }
  });

  it("B3, C13: a rotated password is written in place, without a restart, and the old one is gone from the node", async () => {
    const old = { username: lab.mirror.username ?? "", password: lab.mirror.password ?? "" };
    const fresh = { username: old.username, password: "a-rotated-password-77" };
    const registry = await lab.addRegistry({ name: "rotating", auth: "basic", ...old });
    const config = (login: typeof old, verify?: unknown): Record<string, ConfigValue> => ({
      ...program({ verify }),
      images: {
        source: lab.packages.tar.path,
        registry: { endpoint: registry.hostPort, caCertPath: registry.caCertPath, ...login },
      },
      mirror: { registryMirrors: [{ endpoint: registry.endpoint, caCertPath: registry.caCertPath, ...login }] },
    });
    const stack = await open(config(old));
    assert.equal(verified(await stack.up()).verdict, "proven");
    const restarts = await node.containerdRestarts();
    // The registry reads its password file again when that has changed.
    writeFileSync(
      join(registry.description.folder, "htpasswd"),
      `${await htpasswdLine(fresh.username, fresh.password)}\n`,
    );
    try {
      // Nothing but what is looked at is declared otherwise: the node still has the old password.
      await stack.setConfig(config(old, { images: 2, onFailure: "warn" }));
      const refused = await stack.up();
      assertCause(verified(refused), "unauthorized", "unauthorized");
      assert.match(printed(refused), /answers \(unauthorized\)/);
      assert.match(renderReport(verified(refused)), /failed \(unauthorized\).*\*\*not compared\*\* \(unauthorized\)/s);
      registry.stop();
      await stack.setConfig(config(old, { images: 1, onFailure: "warn" }));
      assertCause(verified(await stack.up()), "mirror-unavailable", "connection");
      await registry.start();

      await stack.setConfig(config(fresh));
      const preview = await stack.preview();
      assert.ok(!printed(preview).includes(fresh.password), "B8: the password does not show in a preview");
      assert.deepEqual(
        preview.steps
          .filter((step) => step.op !== "same")
          .map((step) => [step.name, step.op])
          .sort(),
        [
          ["images", "update"],
          ["mirror", "update"],
          ["node", "update"],
        ],
      );
      assert.equal(verified(await stack.up()).verdict, "proven");
      assert.equal(await node.containerdRestarts(), restarts);
      const files = (await node.exec("grep -rl . /etc/containerd/certs.d | xargs cat")).stdout;
      const basic = (login: typeof old): string =>
        Buffer.from(`${login.username}:${login.password}`).toString("base64");
      assert.ok(files.includes(basic(fresh)) && !files.includes(basic(old)));
    } finally {
      lab.removeRegistry(registry);
    }
  });
});
