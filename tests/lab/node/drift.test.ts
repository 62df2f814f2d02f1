import assert from "node:assert/strict";
import { readFileSync } from "node:fs";

import type { DesiredHost } from "../../../provider/containerd/desired";
import { renderFiles } from "../../../provider/containerd/render/renderFiles";
import { closeIdleNodes } from "../../../provider/node/node";
import { stableText } from "../../../provider/pulumi/plainValue";
import { nodeContainerd } from "../../../provider/resources/node/operations";
import type { StoredNode } from "../../../provider/resources/node/stored";
import type { Lab, LabNode, Snapshot } from "../lab";
import { compareSnapshots, sharedLabOrSkip } from "../lab";
import { nodeUrn } from "./support/work";

type State = Record<string, unknown>;

interface Damage {
  title: string;
  /** A script on the node. */
  script: string;
  /** What a refresh says of it. */
  said: RegExp;
  /** What `up` says where only a person can repair it. */
  refused?: RegExp;
  /** What that person does then. */
  mend?: string;
  /** Restarts of containerd by `up`. Default 0. */
  restarts?: number;
}

const directory = "/etc/containerd/certs.d";
const config = "/etc/containerd/config.toml";

/**
 * What happens to a node between two updates: a refresh sees it, `up` repairs it or says what a person must do, and
 * then all is as declared.
 */
describe("drift of a real node", function () {
  this.timeout(600_000);
  let lab: Lab;
  let node: LabNode;
  let inputs: State;
  let outs: State;
  let asDeclared: Snapshot;
  let original: Snapshot;

  before(async function () {
    lab = await sharedLabOrSkip(this);
    node = lab.node("trixie");
    await node.reset();
    original = node.snapshot("/etc/containerd");
    inputs = await checked();
    outs = (await nodeContainerd.create(inputs)).outs as State;
    asDeclared = node.snapshot("/etc/containerd");
  });
  after(closeIdleNodes);

  async function checked(): Promise<State> {
    const authority = lab.mirror.hostPort;
    const caPath = `${directory}/${authority}/ca.crt`;
    const hosts = ["gcr.io", "somehost.io"].map((host): DesiredHost => ({
      host,
      mirrors: [{ endpoint: `${lab.mirror.endpoint}/v2/ns`, caPath, credential: authority }],
      skipFallback: false,
    }));
    const files = renderFiles(hosts, { [caPath]: readFileSync(lab.mirror.caCertPath ?? "", "utf8") }, directory);
    const result = await nodeContainerd.check?.(
      {},
      {
        connection: {
          host: node.address,
          port: node.port,
          privateKeyPath: lab.keys.plain.privateKeyPath,
          hostKey: node.hostKey,
          dialErrorLimit: 1,
        },
        declared: {
          mirror: stableText({ value: { hosts, hostsDir: directory, auth: { [authority]: "basic" } } }),
          files: stableText(files),
          verify: stableText({ value: false }),
        },
        credentials: { [authority]: { username: lab.mirror.username, password: lab.mirror.password } },
        resourceUrn: nodeUrn,
      },
    );
    assert.deepEqual(result?.failures ?? [], []);
    return result?.inputs as State;
  }

  const refresh = async (): Promise<string[]> => {
    const result = await nodeContainerd.read?.("id", outs);
    outs = result?.props as State;
    return (outs["drift"] as string[] | undefined) ?? [];
  };
  const up = async (): Promise<void> => {
    const difference = await nodeContainerd.diff?.("id", outs, inputs);
    assert.equal(difference?.changes, (outs["drift"] as string[] | undefined) !== undefined);
    if (difference?.changes) {
      outs = (await nodeContainerd.update?.("id", outs, inputs))?.outs as State;
    }
  };
  /** But for what was kept beside. */
  const differs = (wanted: Snapshot): string[] =>
    compareSnapshots(wanted, node.snapshot("/etc/containerd")).filter((line) => !line.includes(".changed-"));

  const ourFile = `${directory}/gcr.io/hosts.toml`;
  const damages: Damage[] = [
    { title: "the hosts directory is gone", script: `rm -rf ${directory}`, said: /gcr\.io\/hosts\.toml: missing/ },
    { title: "one certificate is gone", script: `rm ${directory}/*/ca.crt`, said: /ca\.crt: missing/ },
    {
      title: "one certificate is another",
      script: `echo x > "$(ls ${directory}/*/ca.crt)"`,
      said: /ca\.crt: not the certificate that was put there/,
    },
    {
      title: "our record is gone",
      script: "rm -rf /var/lib/registry-mirror",
      said: /our record in \/var\/lib\/registry-mirror is gone/,
    },
    {
      title: "everything is gone, as after an installation behind the same host key",
      script: `rm -rf /var/lib/registry-mirror ${directory}; printf 'version = 2\\n' > ${config}; systemctl restart containerd`,
      said: /our record in .* is gone[\s\S]*hosts\.toml: missing|hosts\.toml: missing[\s\S]*our record in .* is gone/,
      restarts: 1,
    },
    { title: "a file of ours is open to everybody", script: `chmod 0644 ${ourFile}`, said: /hosts\.toml: mode/ },
    {
      title: "a file of ours is a link",
      script: `mv ${ourFile} /etc/containerd/theirs; ln -s /etc/containerd/theirs ${ourFile}`,
      said: /a link to \/etc\/containerd\/theirs/,
      refused: /symbolic link.*Replace it by what it stands for/s,
      mend: `rm ${ourFile} /etc/containerd/theirs`,
    },
    {
      title: "a file of ours is a directory",
      script: `rm ${ourFile}; mkdir ${ourFile}`,
      said: /hosts\.toml: a directory stands in its place/,
      refused: /no regular file; move it away/,
      mend: `rmdir ${ourFile}`,
    },
    {
      title: "our pointer was changed between our marks, and loaded",
      script: `sed -i 's#config_path = "/etc/containerd/certs.d"#config_path = "/somewhere/else"#' ${config}; systemctl restart containerd`,
      said: /config\.toml: changed[\s\S]*- {3}config_path = "\/somewhere\/else"/,
      restarts: 1,
    },
    { title: "config.toml is gone", script: `rm ${config}`, said: /config\.toml: missing/, restarts: 1 },
    {
      title: "config.toml does not parse",
      script: `cp ${config} /root/good; printf '[[[\\n' >> ${config}`,
      said: /config\.toml.*line/s,
      refused: /config\.toml/,
      mend: `cat /root/good > ${config}`,
    },
    {
      title: "CRI is switched off",
      script: `cp ${config} /root/good; sed -i '1s/^/disabled_plugins = ["io.containerd.grpc.v1.cri"]\\n/' ${config}`,
      said: /CRI is switched off/,
      refused: /CRI is switched off/,
      mend: `cat /root/good > ${config}`,
    },
    {
      title: "config.toml was edited and never loaded",
      script: `sleep 3; sed -i '1s/^/# theirs\\n/' ${config}`,
      said: /config\.toml was changed after containerd was started: it runs with an earlier one/,
      restarts: 1,
    },
    {
      title: "containerd is stopped",
      script: "systemctl stop containerd",
      said: /containerd is inactive/,
      refused: /containerd is not running \(inactive/,
      mend: "systemctl start containerd",
    },
    {
      title: "containerd is stopped and masked",
      script: "systemctl stop containerd; systemctl mask containerd",
      said: /containerd\.service is masked/,
      refused: /masked.*systemctl unmask containerd/s,
      mend: "systemctl unmask containerd; systemctl start containerd",
    },
    {
      title: "containerd was removed",
      script:
        "systemctl stop containerd; mv /usr/bin/containerd /root/containerd; mv /lib/systemd/system/containerd.service /root/; systemctl daemon-reload",
      said: /containerd is not installed any more/,
      refused: /containerd is not installed/,
      mend: "mv /root/containerd /usr/bin/containerd; mv /root/containerd.service /lib/systemd/system/; systemctl daemon-reload; systemctl start containerd",
    },
    {
      title: "containerd is another release",
      script: `mv /usr/bin/containerd /usr/bin/containerd.real; printf '#!/bin/sh\\ncase "$1" in --version) echo "containerd x 1.7.99 y";; *) exec /usr/bin/containerd.real "$@";; esac\\n' > /usr/bin/containerd; chmod 755 /usr/bin/containerd`,
      said: /containerd is 1\.7\.99 by now; it was configured as 1\.7\.24/,
    },
  ];

  for (const { title, script, said, refused, mend, restarts = 0 } of damages) {
    it(`L5, B7: ${title}`, async () => {
      await node.exec(script);
      const drift = await refresh();
      assert.match(drift.join("\n"), said);
      const before = await node.containerdRestarts();
      if (refused === undefined) {
        await up();
        assert.equal((await node.containerdRestarts()) - before, restarts, "restarts of containerd");
      } else {
        const damaged = node.snapshot("/etc/containerd");
        await assert.rejects(up(), refused);
        assert.deepEqual(compareSnapshots(damaged, node.snapshot("/etc/containerd")), [], "nothing is touched");
        await node.exec(mend ?? "true");
        await up();
      }
      assert.deepEqual(await refresh(), [], "and nothing differs any more");
      assert.equal((await node.exec(`cat ${ourFile}`)).stdout.startsWith("# Managed by pulumi-registry-mirror"), true);
      assert.equal((await node.exec("systemctl is-active containerd")).stdout.trim(), "active");
    });
  }

  it("a delete has a way out whatever was done to the node, and leaves nothing of ours but what others made of it", async () => {
    for (const { title, script } of damages.filter(
      (one) => one.refused !== undefined || /record|marks|directory is gone|config.toml is gone/.test(one.title),
    )) {
      await node.reset();
      const fresh = (await nodeContainerd.create(inputs)).outs as StoredNode;
      await node.exec(script);
      await nodeContainerd.delete?.("id", fresh);
      assert.equal(await node.readFile("/var/lib/registry-mirror/record"), undefined, title);
      assert.ok(!((await node.readFile(config)) ?? "").includes("pulumi-registry-mirror"), title);
      const ours = (await node.exec(`grep -rl "Managed by pulumi-registry-mirror" ${directory} || true`)).stdout.trim();
      assert.equal(
        ours
          .split("\n")
          .filter((path) => path !== "" && path !== ourFile)
          .join(),
        "",
        title,
      );
    }
    await node.reset();
    outs = (await nodeContainerd.create(inputs)).outs as State;
    asDeclared = node.snapshot("/etc/containerd");
  });

  it("L5: a node that cannot be reached keeps its state", async () => {
    const before = outs;
    outs = { ...outs, connection: { ...(outs["connection"] as State), port: 1 } };
    assert.deepEqual(await refresh(), []);
    outs = before;
  });

  it("B4: after all that a delete leaves nothing of ours", async () => {
    assert.deepEqual(
      differs(asDeclared).filter((line) => !line.includes("config.toml")),
      [],
    );
    await nodeContainerd.delete?.("id", outs);
    assert.equal(await node.readFile("/var/lib/registry-mirror/record"), undefined);
    const text = (await node.readFile(config)) ?? "";
    assert.ok(!text.includes("pulumi-registry-mirror"), text);
    assert.deepEqual(
      differs(original).filter((line) => !line.includes("config.toml")),
      [],
    );
  });
});
