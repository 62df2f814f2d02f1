/**
 * The main job, told in chapters. Each chapter does one thing a user would do, says in plain lines what came of it, and
 * checks what it says: `npm start` tells it, and the end-to-end tests run the very same chapters.
 */
import assert from "node:assert/strict";
import { join } from "node:path";

import { knowsDialTimeout } from "../../provider/containerd/plan/dialTimeout";
import { parseContainerdVersion } from "../../provider/containerd/version";
import type { NodeVerification } from "../../sdk";
import type { ConfigValue, OperationResult, ProgramStack } from "../engine/program";
import { openStack } from "../engine/program";
import type { Lab, LabNode, Snapshot } from "../lab/lab";
import { compareSnapshots } from "../lab/lab";
import { pullOnNode } from "./pull";

const root = join(__dirname, "..", "..");

/** Everything of a node that we might touch. */
const watched = ["/etc", "/var/lib/registry-mirror"];

export class Story {
  private readonly originals = new Map<string, Snapshot[]>();

  private constructor(
    readonly lab: Lab,
    readonly stack: ProgramStack,
    private config: Record<string, ConfigValue>,
    private readonly say: (line: string) => void,
  ) {}

  static async begin(
    lab: Lab,
    stateDir: string,
    say: (line: string) => void,
    onOutput?: (text: string) => void,
  ): Promise<Story> {
    const config = quickstartConfig(lab);
    const stack = await openStack({
      programDir: join(root, "examples", "quickstart"),
      stateDir,
      config,
      look: true,
      ...(onOutput === undefined ? {} : { onOutput }),
    });
    const story = new Story(lab, stack, config, say);
    for (const node of lab.nodes) {
      story.originals.set(node.name, snapshots(node));
    }
    return story;
  }

  async preview(): Promise<void> {
    this.say("\n1. pulumi preview: what would happen; nothing is touched");
    const mark = this.lab.mirror.mark();
    const result = await this.run("preview");
    assert.equal(
      result.changes["create"],
      2 + this.lab.nodes.length + 1,
      "a push set, a mirror, the nodes and the stack",
    );
    assert.match(result.stdout, /hosts\.toml/, "B2: the preview shows the files");
    const risk = "dial_timeout works from containerd 2.0.7 on; an older one waits 30 s for each request";
    assert.ok(
      result.diagnostics.some((one) => one.message.includes(risk)),
      "C15: the preview names the risk on older releases",
    );
    const asked = this.lab.mirror.requests(mark);
    assert.ok(
      asked.every(({ kind }) => kind === "ping"),
      "a preview asks the registry how it authenticates, and nothing else",
    );
    await this.assertUntouched();
    const seen = result.diagnostics.flatMap(({ urn, message }) => {
      const line = /^.*containerd [\d.]+ (?:restarts once|does not restart)$/m.exec(message)?.[0];
      return line === undefined ? [] : [`   ${urn.split("::").at(-1) ?? ""}: ${line.trim()}`];
    });
    assert.equal(seen.length, this.lab.nodes.length, "L1, L2: what will happen to each node");
    seen.forEach((line) => this.say(line));
    this.say(
      `   ${result.changes["create"]} resources to create; no file on any node changed, the registry was asked how it authenticates`,
    );
  }

  async up(): Promise<void> {
    this.say("\n2. pulumi up: images pushed, nodes configured, verified");
    const mark = this.lab.mirror.mark();
    const publicMark = this.lab.public.mark();
    const before = await this.restarts();
    const result = await this.run("up");
    const verifications = verificationsOf(result);
    assert.deepEqual(
      verifications.map((v) => v.verdict),
      this.lab.nodes.map(() => "proven"),
      "B1: every node is proven",
    );
    for (const { node, containerd, findings = [] } of verifications) {
      const told = findings.some((one) => one.startsWith(`containerd ${containerd} has no dial timeout`));
      assert.equal(
        told,
        !knowsDialTimeout(parseContainerdVersion(containerd)),
        `C15: the report of ${node} (${containerd}) names the risk where there is one`,
      );
    }
    for (const diagnostic of result.diagnostics.filter((d) => d.urn.endsWith("::images"))) {
      this.say(`   ${diagnostic.message.trim()}`);
    }
    this.table(verifications);
    const restarts = (await this.restarts()).map((n, i) => n - (before[i] ?? 0));
    assert.ok(
      restarts.every((n) => n <= 1),
      `B3: at most one restart a node, got ${restarts.join(", ")}`,
    );
    this.say(`   restarts of containerd: ${this.lab.nodes.map((node, i) => `${node.name} ${restarts[i]}`).join(", ")}`);
    // The proof of the route, from the other side: the mirror's own log.
    for (const node of this.lab.nodes) {
      const agent = `containerd/${node.containerdVersion}`;
      const blobs = this.lab.mirror
        .requests(mark)
        .filter((r) => r.kind === "blobs" && r.ns === "gcr.io" && r.userAgent.startsWith(agent));
      assert.ok(blobs.length > 0, `the mirror saw no blob request with ns=gcr.io from ${node.name} (${agent})`);
    }
    const leaked = this.lab.public.requests(publicMark).filter((r) => r.kind === "blobs");
    assert.deepEqual(leaked, [], "no blob of a mirrored image came from the public registry");
    this.say("   the mirror's log: blob requests for gcr.io from each node; the public registry's log: none");
  }

  async upAgain(): Promise<void> {
    this.say("\n3. pulumi up again: nothing to do");
    const mark = this.lab.mirror.mark();
    const result = await this.run("up");
    assert.deepEqual(Object.keys(result.changes), ["same"]);
    assert.deepEqual(this.lab.mirror.requests(mark), [], "nothing is asked when nothing changed");
    this.say(
      `   ${result.changes["same"]} unchanged, in ${result.seconds.toFixed(1)} s; no node and no registry was contacted`,
    );
  }

  async addHost(): Promise<void> {
    this.say("\n4. one more host to mirror, otherhost.io: preview, then up");
    await this.configure({ hosts: ["somehost.io", "otherhost.io"] });
    const preview = await this.run("preview");
    assert.match(preview.stdout, /otherhost\.io\/hosts\.toml/, "B2: the new file shows");
    assert.match(preview.stdout, /\+\s*server = "https:\/\/otherhost\.io"/, "B2: line by line");
    const note = preview.diagnostics.find((diagnostic) =>
      diagnostic.message.includes("on every node that uses this mirror:"),
    );
    assert.ok(note, "B2: the review is told the changed lines once for all nodes");
    for (const { text: containerdVersion } of this.lab.nodes.map((node) =>
      parseContainerdVersion(node.containerdVersion),
    )) {
      const told = preview.stdout.includes(`containerd ${containerdVersion} has no dial timeout`);
      assert.equal(
        told,
        !knowsDialTimeout(parseContainerdVersion(containerdVersion)),
        `C15: the row of a node with ${containerdVersion}`,
      );
    }
    this.say(
      note.message
        .trimEnd()
        .split("\n")
        .map((line) => `   | ${line}`)
        .join("\n"),
    );
    const before = await this.restarts();
    const up = await this.run("up");
    assert.deepEqual(
      verificationsOf(up).map((v) => v.verdict),
      this.lab.nodes.map(() => "proven"),
    );
    assert.deepEqual(await this.restarts(), before, "B3: no restart for a changed host list");
    this.say("   all nodes proven for otherhost.io too; containerd restarts: none");
  }

  async fallback(): Promise<void> {
    this.say("\n5. an image that only the public registry has still pulls (mirror first, public next)");
    await this.lab.pushPublic();
    for (const node of this.lab.nodes) {
      const image = "gcr.io/public-only/extra:1.0";
      const mark = this.lab.mirror.mark();
      const publicMark = this.lab.public.mark();
      const pulled = await pullOnNode(this.lab, node, image);
      assert.equal(pulled.repoDigests.length, 1, `C5: ${image} on ${node.name}: ${pulled.error}`);
      assert.ok(
        this.lab.mirror.requests(mark).some((r) => r.ns === "gcr.io" && r.status === 404),
        "C5: the mirror was asked first",
      );
      assert.ok(
        this.lab.public.requests(publicMark).some((r) => r.kind === "blobs"),
        "C5: the public registry served it",
      );
      this.say(`   ${node.name}: ${image}: mirror said 404, gcr.io served it`);
    }
  }

  async unlisted(): Promise<void> {
    this.say("\n6. a host that is not listed is left alone");
    for (const node of this.lab.nodes) {
      const image = this.lab.packages.publicOnly.images.find((candidate) =>
        candidate.name.startsWith("unlisted.io/"),
      )?.name;
      assert.ok(image, "the lab's public package has an image of unlisted.io");
      const mark = this.lab.mirror.mark();
      const pulled = await pullOnNode(this.lab, node, image);
      assert.equal(pulled.repoDigests.length, 1, `C3: ${image} on ${node.name}: ${pulled.error}`);
      assert.deepEqual(this.lab.mirror.requests(mark), [], "C3: the mirror is never asked for an unlisted host");
    }
    this.say("   unlisted.io pulled on every node; the mirror was not asked");
  }

  async drift(): Promise<void> {
    const [node] = this.lab.nodes;
    assert.ok(node);
    this.say(`\n7. somebody edits gcr.io/hosts.toml on ${node.name} by hand: refresh sees it, up repairs it`);
    const path = "/etc/containerd/certs.d/gcr.io/hosts.toml";
    const text = await node.readFile(path);
    assert.ok(text);
    await node.writeFile(
      path,
      text.replace(/^\[host/m, '# changed by hand\n[host."https://127.0.0.1:9"]\n[host'),
      "0600",
    );
    const refresh = await this.run("refresh");
    assert.match(refresh.stdout, /127\.0\.0\.1:9/, "B7: the changed line shows");
    for (const line of refresh.stdout
      .split("\n")
      .filter((l) => /^\s+(- |\+ )?.*(changed by hand|127\.0\.0\.1:9)/.test(l))
      .slice(0, 2)) {
      this.say(`   | ${line.trim()}`);
    }
    const up = await this.run("up");
    assert.equal(up.changes["update"], 1, "only that node is repaired");
    assert.equal(await node.readFile(path), text, "B7: the file is as it was");
    this.say("   repaired; the other nodes were not touched");
  }

  async otherNamespace(): Promise<void> {
    this.say(
      "\n8. another namespace in the registry: the push set is replaced, new before old; nodes are updated in place",
    );
    await this.configure({ endpoint: `${this.lab.mirror.endpoint}/v2/second` });
    const preview = await this.run("preview");
    const ops = (name: string): string[] =>
      preview.steps.filter((step) => step.name === name && step.op !== "read").map((step) => step.op);
    const order = ops("images");
    assert.ok(
      order.includes("create-replacement") &&
        !order.slice(0, order.indexOf("create-replacement")).includes("delete-replaced"),
      `new before old, got ${order.join(", ")}`,
    );
    for (const node of this.lab.nodes) {
      assert.deepEqual(ops(`node-${node.address}`), ["update"], "nodes are updated in place");
    }
    this.say(`   preview: images ${order.join(", ")}; nodes update`);
    const before = await this.restarts();
    const up = await this.run("up");
    assert.deepEqual(
      verificationsOf(up).map((v) => v.verdict),
      this.lab.nodes.map(() => "proven"),
    );
    assert.deepEqual(await this.restarts(), before, "B3: no restart for a changed endpoint");
    this.say("   all nodes proven against the new namespace; containerd restarts: none");
  }

  async destroy(): Promise<void> {
    this.say("\n9. pulumi destroy: every node gets back what it had");
    await this.run("destroy");
    await this.assertUntouched();
    this.say(
      `   every file below ${watched.join(" and ")} is as before, byte for byte, on all ${this.lab.nodes.length} nodes`,
    );
  }

  /** B8: no password and no key in the state, in anything printed, or in the process lists. */
  secrets(): string[] {
    return [
      this.lab.mirror.password ?? "",
      Buffer.from(`${this.lab.mirror.username}:${this.lab.mirror.password}`).toString("base64"),
    ];
  }

  readonly printed: string[] = [];

  private async run(operation: "preview" | "up" | "refresh" | "destroy"): Promise<OperationResult> {
    const result = await this.stack[operation]();
    this.printed.push(result.stdout, result.stderr);
    assert.ok(result.ok, `${operation} failed:\n${result.stdout}\n${result.stderr}`);
    return result;
  }

  private async configure(changes: Record<string, ConfigValue>): Promise<void> {
    this.config = { ...this.config, ...changes };
    await this.stack.setConfig(this.config);
  }

  private restarts(): Promise<number[]> {
    return Promise.all(this.lab.nodes.map((node) => node.containerdRestarts()));
  }

  private assertUntouched(): Promise<void> {
    for (const node of this.lab.nodes) {
      const now = snapshots(node);
      const differences = (this.originals.get(node.name) ?? []).flatMap((before, i) =>
        compareSnapshots(before, now[i] as Snapshot),
      );
      assert.deepEqual(differences, [], `${node.name} is not as it was`);
    }
    return Promise.resolve();
  }

  private table(verifications: NodeVerification[]): void {
    const rows = verifications.flatMap((v) => [
      ...v.hosts.map((host) => [
        v.node,
        `containerd ${v.containerd}`,
        host.host,
        host.verdict,
        host.endpoints[0] ?? "",
      ]),
      ...v.images.map((image) => [
        v.node,
        "",
        image.image,
        image.match ? "equal" : "differs",
        image.mirrorRepoDigest.slice(0, 19),
      ]),
    ]);
    const head = ["node", "", "host or image", "verdict", "first endpoint or digest"];
    const widths = head.map((h, i) => Math.max(h.length, ...rows.map((row) => (row[i] ?? "").length)));
    for (const row of [head, ...rows]) {
      this.say(
        `   ${row
          .map((cell, i) => cell.padEnd(widths[i] ?? 0))
          .join("  ")
          .trimEnd()}`,
      );
    }
  }
}

function quickstartConfig(lab: Lab): Record<string, ConfigValue> {
  return {
    source: lab.packages.tarXz.path,
    endpoint: `${lab.mirror.endpoint}/v2/test-namespace`,
    caCertPath: lab.mirror.caCertPath ?? "",
    username: lab.mirror.username ?? "",
    password: { secret: lab.mirror.password ?? "" },
    hosts: ["somehost.io"],
    nodes: lab.nodes.map((node) => node.address),
    privateKeyPath: lab.keys.plain.privateKeyPath,
    knownHostsPath: lab.knownHostsPath,
  };
}

function verificationsOf(result: OperationResult): NodeVerification[] {
  return JSON.parse(result.outputs["verification"] as string) as NodeVerification[];
}

function snapshots(node: LabNode): Snapshot[] {
  return watched.map((path) => node.snapshot(path));
}
