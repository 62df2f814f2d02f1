import assert from "node:assert/strict";

import { planContainerd } from "../../../provider/containerd/plan/planContainerd";
import type { CriClient, NodeConnection, TransactionStep } from "../../../provider/node";
import { closeIdleNodes, connectNode, isNodeError } from "../../../provider/node";
import { stableText } from "../../../provider/pulumi/plainValue";
import type { Look } from "../../../provider/resources/node/look";
import { lookAtNode, summarizeLook } from "../../../provider/resources/node/look";
import { nodeContainerd } from "../../../provider/resources/node/operations";
import type { StoredNode } from "../../../provider/resources/node/stored";
import { MirrorQuestions } from "../../../provider/verify/coverage/mirrorQuestions";
import { frontNode } from "../fault";
import { compareSnapshots, type Lab, type LabNode, sharedLabOrSkip, type Snapshot } from "../lab";
import { copyToRegistry } from "../lab/publicImages";
import { killedProvider } from "./support/killedProvider";
import { layoutCases } from "./support/layouts";
import { becomeMicrok8sNode } from "./support/microk8sStandIn";
import { becomeRancherNode, listing } from "./support/rancherStandIn";
import { apply, connectionTo, context, desired, failure, nodeUrn, restore, settled } from "./support/work";

type State = Record<string, unknown>;

/** Where a provider is killed, of an update or of a delete. */
interface Kill {
  at: TransactionStep;
  restore?: true;
}

/** Whatever there is works at any place where a node has its containerd: one table, and the same asked of each row. */
describe("N5: layouts of nodes", function () {
  this.timeout(600_000);
  let lab: Lab;
  let image: string;
  before(async function () {
    lab = await sharedLabOrSkip(this);
    await lab.mirror.reset();
    const { folder } = lab.packages;
    await copyToRegistry(folder, lab.mirror);
    image = folder.images.find(({ name }) => name.startsWith("gcr.io/"))?.name ?? "";
  });
  after(() => closeIdleNodes());

  // Each row has one of them: what a killed process is for a node, a broken line is too, at every step.
  const kills: Record<0 | 1, Kill[]> = {
    0: [{ at: "swap" }, { at: "commit", restore: true }, { at: "verify" }],
    1: [
      { at: "restart" },
      { at: "restart", restore: true },
      { at: "cri" },
      { at: "swap", restore: true },
      { at: "commit" },
    ],
  };

  for (const layout of layoutCases) {
    const kill = kills[layout.restarts].shift() ?? { at: "verify" };
    describe(layout.title, () => {
      let node: LabNode;
      let connection: NodeConnection;
      let pristine: Snapshot[];
      const {
        unit,
        configPath,
        hostsDir,
        choice,
        restarts,
        listed,
        pointer = { path: configPath, dir: hostsDir },
      } = layout;
      const { next: later = { title: "the next start", run: (at: LabNode) => at.exec(`systemctl restart ${unit}`) } } =
        layout;
      // The last step of a change at which the node can lose its power.
      const last = restarts > 0 ? "restart" : "swapped";
      const gcr = `${hostsDir}/gcr.io/hosts.toml`;
      const snapshots = (): Snapshot[] => layout.folders.map((folder) => node.snapshot(folder));
      const asBefore = (what: string): void =>
        assert.deepEqual(
          snapshots().flatMap((now, at) => compareSnapshots(pristine[at] as Snapshot, now)),
          [],
          what,
        );
      const process = async (): Promise<string> =>
        (await node.exec(layout.process ?? `systemctl show ${unit} -p MainPID --value`)).stdout.trim();
      const starts = async (): Promise<number> =>
        layout.starts === undefined ? 0 : Number((await node.exec(layout.starts)).stdout);
      /** containerd answers, at once. */
      const serves = (): Promise<unknown> => node.exec(`ctr --address ${layout.socketPath} version`);
      const options = { layout: choice };
      const plan: Parameters<typeof apply>[1] = (observed) => planContainerd(observed, desired(lab));

      before(async () => {
        node = lab.node(layout.release);
        await node.reset();
        await layout.prepare?.(node);
        connection = connectionTo(lab, node, { dialErrorLimit: 1 });
        // Foreign files, also one for a host of ours.
        await node.writeFile(`${hostsDir}/foreign.example/hosts.toml`, 'server = "https://foreign.example"\n');
        if (listed === undefined) {
          await node.writeFile(gcr, '# put here by others\nserver = "https://gcr.io"\n', "0640");
        }
        await layout.settle?.(node);
        pristine = snapshots();
      });

      it("B4: what fails after the change is taken back, and the same unit runs with its old configuration", async () => {
        const before = await process();
        const steps: string[] = [];
        const failing = apply(connection, plan, {
          ...options,
          verify: () => Promise.reject(new Error("not good enough")),
          onStep: (step) => void steps.push(step),
        });
        await assert.rejects(failing, /not good enough/);
        await serves();
        assert.ok(steps.includes("undo"), steps.join(" "));
        assert.equal(steps.includes("restart"), restarts > 0);
        assert.equal((await process()) !== before, restarts > 0);
        asBefore("after the undo");
      });

      it("B4: a node that lost its power after the change is taken back by the next run, with its own unit", async () => {
        const script = (text: string): string =>
          text.replace("step() { :; }", () => `step() { [ "$1" != ${last} ] || kill -9 $$; }`);
        await failure(apply(connection, plan, options, { script }), "NODE_LOST");
        assert.match((await node.exec("cat /var/lib/registry-mirror/journal/unit")).stdout, new RegExp(`^${unit}\n$`));
        assert.match((await node.readFile(pointer.path)) ?? "", /config_path/);
        assert.doesNotMatch((await node.readFile(gcr)) ?? "", /put here by others/);
        const before = await process();
        const refused = (): never => {
          throw new Error("only what the run before left is taken back");
        };
        await assert.rejects(apply(connection, refused, options), /only what the run before left/);
        await serves();
        await settled(node);
        assert.equal((await process()) !== before, restarts > 0, "restarted with its old configuration");
        await node.exec("rm -rf /var/lib/registry-mirror");
        asBefore("after the next run");
      });

      it("B4: a line that breaks at any step leaves the node as it was, with its containerd up, and the next run goes through", async () => {
        const proxy = await frontNode(lab, node);
        const { host, port } = proxy;
        const through = connectionTo(lab, node, { host, port, dialErrorLimit: 1 });
        try {
          for (const at of ["stage", "swap", ...(restarts > 0 ? ["restart"] : []), "verify"]) {
            const cut = apply(through, plan, {
              ...options,
              verify: () => new Promise((resolve) => setTimeout(resolve, 200)),
              onStep: (step) => {
                if (step === at) {
                  proxy.cutAll("reset");
                }
              },
            });
            await assert.rejects(cut, (error) => isNodeError(error, "NODE_LOST", "NODE_CRI"), at);
            await closeIdleNodes();
            await settled(node);
            asBefore(`cut at ${at}`);
          }
        } finally {
          await proxy.stop();
        }
        assert.equal((await apply(connection, plan, options)).changed, true);
        await restore(connection);
        asBefore("restored");
      });

      it(`B4: a provider that is killed at "${kill.at}"${kill.restore === true ? " of a delete" : ""} leaves the node as it was, with its containerd up`, async () => {
        if (kill.restore === true) {
          await apply(connection, plan, options);
        }
        const found = snapshots();
        const { at: killAt, ...what } = kill;
        const ended = await killedProvider({ connection, desired: desired(lab), layout: choice, killAt, ...what });
        assert.equal(ended, "SIGKILL");
        await settled(node);
        await serves();
        const differences = snapshots().flatMap((now, n) => compareSnapshots(found[n] as Snapshot, now));
        assert.deepEqual(differences, [], "killed");
        await restore(connection, options);
        asBefore("restored");
      });

      it("B4: a full disk changes nothing", async () => {
        const before = await process();
        await node.exec(
          `cp -a ${hostsDir} /run/kept && mount -t tmpfs -o size=64k tmpfs ${hostsDir} && cp -a /run/kept/. ${hostsDir}/ && { dd if=/dev/zero of=${hostsDir}/filler bs=1k count=100 2>/dev/null || true; }`,
        );
        const full = snapshots();
        await failure(apply(connection, plan, options), "NODE_DISK_FULL", /No space left/, /free some space/);
        assert.deepEqual(
          snapshots().flatMap((now, n) => compareSnapshots(full[n] as Snapshot, now)),
          [],
        );
        await node.exec(`umount ${hostsDir} && rm -r /run/kept`);
        assert.equal(await process(), before);
        asBefore("full disk");
      });

      if (restarts > 0) {
        it("B4: a configuration with which its containerd does not start is taken back, and it serves with the old one", async () => {
          // It is read without complaint, and no socket can be made there.
          const table = `\n[debug]\n  address = "/proc/none/debug.sock"\n`;
          const failing: typeof plan = (observed) => {
            const planned = planContainerd(observed, desired(lab));
            const write = planned.write.map((one) =>
              one.path === pointer.path ? { ...one, text: one.text + table } : one,
            );
            return { ...planned, write };
          };
          // Where its owner starts it again and again, it is CRI that does not come.
          const { code, message } = await failure(
            apply(connection, failing, { ...options, restartTimeout: 40, criTimeout: 3 }),
            layout.process === undefined ? "NODE_RESTART" : "NODE_CRI",
            /the node is as before, containerd was restarted with its old configuration/,
          );
          await serves();
          assert.doesNotMatch(message, /does not answer on/, code);
          asBefore("not started");
        });
      }

      it("L1, V1, B7: from a look through an update, a pull and drift to a delete", async () => {
        const questions = new MirrorQuestions(context());
        const { credentials, ...declaration } = desired(lab);
        const look = (): Promise<Look> =>
          lookAtNode({ connection, declaration, credentials, layout: choice, questions, timeout: 120 }, context());
        const first = await look();
        assert.ok(first.looked !== undefined, JSON.stringify(first.problems));
        assert.equal(first.looked.restart, restarts > 0);
        const places = [`${hostsDir}/`, ...(listed === undefined ? [] : [listed.path, `${listed.certificates}/`])];
        const here = (path: string): boolean => places.some((place) => path.startsWith(place));
        assert.ok(first.looked.files.every(({ path }) => (restarts > 0 && path === pointer.path) || here(path)));
        assert.match(summarizeLook(first.looked), restarts > 0 ? /restarts once$/ : /does not restart$/);
        assert.equal(summarizeLook(first.looked).includes(`(${unit})`), layout.found !== "containerd");

        const inputs = await checked();
        const before = await process();
        const startsBefore = await starts();
        let outs = (await nodeContainerd.create(inputs)).outs as State;
        assert.equal((await process()) !== before, restarts > 0);
        const { containerd } = outs as unknown as StoredNode;
        assert.deepEqual([containerd?.layout, containerd?.restarts], [layout.found, restarts]);
        assert.ok(Buffer.byteLength(JSON.stringify(outs)) < 6 * 1024);
        const pointing = new RegExp(`config_path = ['"]${pointer.dir}['"]`);
        assert.match((await node.readFile(pointer.path)) ?? "", pointing);
        const configured = await process();

        const pull = async (): Promise<void> => {
          const reached = await connectNode(connection, context());
          const cri = reached.cri(layout.socketPath);
          try {
            await cri.pullImage(image);
          } finally {
            cri.close();
            reached.close();
          }
        };
        await pull();
        const again = await look();
        await questions.close();
        assert.deepEqual([again.looked?.changed, again.looked?.files], [false, []]);
        assert.equal(again.looked?.coverage?.counts.served, 1, JSON.stringify(again.looked?.coverage));

        const refresh = async (): Promise<string> => {
          outs = (await nodeContainerd.read?.("id", outs))?.props as State;
          return ((outs["drift"] as string[] | undefined) ?? []).join("\n");
        };
        assert.equal(await refresh(), "");
        await node.exec(`rm ${gcr} ${listed?.certificates ?? hostsDir}/*/ca.crt`);
        assert.match(await refresh(), /ca\.crt: missing[\s\S]*gcr\.io\/hosts\.toml: missing/);
        assert.equal((await nodeContainerd.diff?.("id", outs, inputs))?.changes, true);
        outs = (await nodeContainerd.update?.("id", outs, inputs))?.outs as State;
        assert.equal(await refresh(), "");
        assert.equal(await process(), configured, "no restart for it");

        if (layout.starts !== undefined) {
          assert.equal((await starts()) - startsBefore, restarts, "nor by its owner");
        }

        await later.run(node);
        assert.equal(await refresh(), "", `after ${later.title}`);
        const { looked } = await lookAtNode(
          { connection, declaration, credentials, layout: choice, timeout: 120 },
          context(),
        );
        assert.deepEqual(
          [looked?.changed, looked?.files],
          [false, []],
          `nor has a preview anything to say after ${later.title}`,
        );
        await pull();
        const startsLast = await starts();
        await nodeContainerd.delete?.("id", outs);
        if (layout.starts !== undefined) {
          assert.equal((await starts()) - startsLast, restarts, "the delete is one start too");
        }
        if (listed !== undefined) {
          // Credentials that its owner put into the configuration go with its next start.
          await later.run(node);
        }
        asBefore("after the delete");
        assert.equal(node.snapshot("/var/lib/registry-mirror").size, 0);
        assert.equal((await restore(connection, options)).changed, false, "a second delete is no error");
      });

      async function checked(): Promise<State> {
        const { hosts, hostsDir: dir, files, auth, credentials } = desired(lab);
        const { host, port, privateKeyPath, hostKey } = connection;
        const result = await nodeContainerd.check?.(
          {},
          {
            connection: { host, port, privateKeyPath, hostKey, dialErrorLimit: 1 },
            declared: {
              mirror: stableText({ value: { hosts, hostsDir: dir, auth } }),
              files: stableText(files),
              verify: stableText({ value: false }),
            },
            credentials,
            ...(choice === "auto" ? {} : { layout: choice }),
            resourceUrn: nodeUrn,
          },
        );
        assert.deepEqual(result?.failures ?? [], []);
        return result?.inputs as State;
      }
    });
  }

  it("N1, B4: a credential that needs a start of k3s is taken back with another one; what others wrote in the meantime stays", async () => {
    const node = lab.node("bookworm");
    await node.reset();
    await becomeRancherNode(node, "k3s", "k3s.service", listing);
    const path = "/etc/rancher/k3s/registries.yaml";
    const folders = ["/etc", "/var/lib/rancher/k3s/agent/etc"];
    const pristine = folders.map((folder) => node.snapshot(folder));
    const differences = (): string[] =>
      folders.flatMap((folder, at) => compareSnapshots(pristine[at] as Snapshot, node.snapshot(folder)));
    const connection = connectionTo(lab, node, { dialErrorLimit: 1 });
    // So that containerd 1.6 takes it from its configuration alone.
    const wanted = { ...desired(lab), auth: { [lab.mirror.hostPort]: "bearer" as const } };
    const plan: Parameters<typeof apply>[1] = (observed) => planContainerd(observed, wanted);
    const failing = apply(connection, plan, { verify: () => Promise.reject(new Error("not good enough")) });
    await assert.rejects(failing, /not good enough/);
    assert.deepEqual(differences(), [], "after the undo");

    const pull = ({ cri }: { cri: CriClient }): Promise<unknown> => cri.pullImage(image);
    const applied = await apply(connection, plan, { verify: pull });
    assert.deepEqual([applied.restarts, applied.changed], [1, true]);
    // At the end of the file it touches what we wrote, and cannot be told from it.
    for (const edit of ["1i # later, by others", "$a # at the end, by others"]) {
      await node.exec(`sed -i '${edit}' ${path}`);
      const again = await apply(connection, plan, { verify: pull });
      assert.deepEqual([again.restarts, again.plan.write], [0, []], edit);
    }
    await node.exec(`sed -i '$d' ${path}`);
    assert.equal((await restore(connection)).restarts, 1);
    assert.equal(await node.readFile(path), `# later, by others\n${listing}`);
    await node.writeFile(path, listing);
    assert.deepEqual(differences(), [], "after the delete");
  });

  it("N4, B4: a credential that needs a start of MicroK8s's containerd stands in its template, and is taken back and given back with another one", async () => {
    const node = lab.node("bookworm");
    await node.reset();
    await becomeMicrok8sNode(node);
    const args = "/var/snap/microk8s/x1/args";
    const pristine = node.snapshot(args);
    const asBefore = (what: string): void =>
      assert.deepEqual(
        compareSnapshots(pristine, node.snapshot(args)).filter((one) => !one.includes("containerd.toml")),
        [],
        what,
      );
    const rendered = await node.readFile(`${args}/containerd.toml`);
    const connection = connectionTo(lab, node, { dialErrorLimit: 1 });
    const wanted = { ...desired(lab), auth: { [lab.mirror.hostPort]: "bearer" as const } };
    const plan: Parameters<typeof apply>[1] = (observed) => planContainerd(observed, wanted);
    const failing = apply(connection, plan, { verify: () => Promise.reject(new Error("not good enough")) });
    await assert.rejects(failing, /not good enough/);
    asBefore("after the undo");
    assert.equal(await node.readFile(`${args}/containerd.toml`), rendered, "started with its old template");

    const pull = ({ cri }: { cri: CriClient }): Promise<unknown> => cri.pullImage(image);
    const applied = await apply(connection, plan, { verify: pull });
    assert.deepEqual([applied.restarts, applied.changed], [1, true]);
    assert.deepEqual((await apply(connection, plan, { verify: pull })).plan.write, []);
    assert.equal((await restore(connection)).restarts, 1);
    asBefore("after the delete");
    assert.equal(await node.readFile(`${args}/containerd.toml`), rendered);
  });

  describe("what a layout says, and what is there", () => {
    it("another program's unit beside containerd's, and alone: named, until the layout is", async () => {
      const node = lab.node("trixie");
      const connection = connectionTo(lab, node, { dialErrorLimit: 1 });
      const { credentials, ...declaration } = desired(lab);
      const seen = (layout: "auto" | "containerd"): Promise<Look> =>
        lookAtNode({ connection, declaration, credentials, layout, timeout: 120 }, context());
      // Stands in for k3s: its unit, and nothing of what it does.
      const unit = "[Service]\nExecStart=/bin/sleep infinity\n";
      await node.writeFile("/etc/systemd/system/k3s-agent.service", unit);
      await node.exec("systemctl daemon-reload");
      assert.equal((await seen("auto")).problems, undefined, "it only lies there");
      await node.exec("systemctl start k3s-agent");
      const [both] = (await seen("auto")).problems ?? [];
      assert.equal(both?.code, "NODE_LAYOUT_AMBIGUOUS");
      assert.match(both?.text ?? "", /containerd \(containerd\.service\) and k3s \(k3s-agent\.service\)/);
      assert.equal((await seen("containerd")).problems, undefined);
      await node.exec("systemctl disable --now --quiet containerd");
      const [alone] = (await seen("auto")).problems ?? [];
      assert.equal(alone?.code, "NODE_NO_CONTAINERD");
      assert.match(alone?.text ?? "", /nor in k3s-agent\.service/);
      await node.exec("systemctl disable --now --quiet k3s-agent; systemctl enable --now --quiet containerd");
    });

    it("L1: a layout that names other places than containerd runs with is refused, in a look too", async () => {
      const node = lab.node("forky");
      const connection = connectionTo(lab, node, { dialErrorLimit: 1 });
      const { choice } = layoutCases.at(-1) ?? { choice: "auto" };
      assert.ok(typeof choice === "object");
      const { credentials, ...declaration } = desired(lab);
      const wrong = async (layout: typeof choice, code: string, text: RegExp): Promise<void> => {
        const { problems = [] } = await lookAtNode(
          { connection, declaration, credentials, layout, timeout: 120 },
          context(),
        );
        assert.equal(problems[0]?.code, code);
        assert.match(problems[0]?.text ?? "", text);
      };
      const before = node.snapshot("/opt/ctr");
      await wrong(
        { ...choice, configPath: "/opt/ctr/config.toml" },
        "NODE_LAYOUT",
        /runs with \/opt\/ctr\/etc\/settings\.toml/,
      );
      await wrong({ ...choice, socketPath: "/run/x.sock" }, "NODE_LAYOUT", /layout\.socketPath is \/run\/x\.sock/);
      await wrong({ ...choice, unit: "nothing" }, "NODE_NO_CONTAINERD", /no systemd unit nothing\.service/);
      assert.deepEqual(compareSnapshots(before, node.snapshot("/opt/ctr")), []);
    });
  });
});
