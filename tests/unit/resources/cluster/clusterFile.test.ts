import assert from "node:assert/strict";
import { join } from "node:path";

import { parseAllDocuments } from "yaml";

import type { BmctlCluster } from "../../../../provider/resources/cluster/clusterFile";
import { clusterOfConfig, parseClusterFile, readClusterFile } from "../../../../provider/resources/cluster/clusterFile";
import { cluster, errorOf, file, header, pool, sampleFile, sampleText, withFolder } from "./sample";

const unchecked = { checkFiles: false } as const;

const sample: Omit<BmctlCluster, "file"> = {
  name: "admin1",
  namespace: "cluster-admin1",
  gcrKeyPath: "/bmctl/bmctl-workspace/.sa-keys/my-gcp-project-anthos-baremetal-gcr.json",
  sshPrivateKeyPath: "/root/ssh-key/id_rsa",
  loginUser: "root",
  registryMirrors: [
    {
      endpoint: "https://172.18.0.20:5000",
      caCertPath: "/root/ca.crt",
      pullCredentialConfigPath: "/root/.docker/config.json",
      hosts: ["somehost.io", "otherhost.io"],
    },
  ],
  privateRegistries: [
    {
      host: "172.18.0.30:5007",
      caCertPath: "/root/private-ca.crt",
      pullCredentialConfigPath: "/root/.docker/config.json",
    },
  ],
  nodes: [
    ...["172.18.0.2", "172.18.0.3", "172.18.0.4"].map((address) => ({
      address,
      role: "control-plane" as const,
      pool: "control-plane",
    })),
    ...["172.18.0.5", "172.18.0.6"].map((address) => ({
      address,
      role: "load-balancer" as const,
      pool: "load-balancer",
    })),
    ...["172.18.0.10", "172.18.0.11", "172.18.0.12"].map((address) => ({
      address,
      role: "worker" as const,
      pool: "np1",
    })),
    ...["172.18.0.13", "172.18.0.14"].map((address) => ({ address, role: "worker" as const, pool: "np2" })),
  ],
};

describe("cluster file", () => {
  it("C10: the source document's sample with node pools gives mirrors, keys, login user and nodes", () => {
    assert.deepEqual(readClusterFile(sampleFile, unchecked), { file: sampleFile, ...sample });
  });

  it('C10: the page\'s sample itself, which ends in "..." and has no nodes, is read', () => {
    const cut = `${sampleText.slice(0, sampleText.indexOf("  nodeAccess:"))}...\n`;
    assert.deepEqual(parseClusterFile(cut, "admin1.yaml", unchecked), { file: "admin1.yaml", ...sample, nodes: [] });
  });

  it("C10: documents may stand in any order", () => {
    const documents = sampleText.split(/^---\n/m).slice(1);
    const turned = [...documents]
      .reverse()
      .map((document) => `---\n${document}`)
      .join("");
    const read = parseClusterFile(turned, "admin1.yaml", unchecked);
    const byPool = (nodes: BmctlCluster["nodes"]) => [...nodes].sort((a, b) => a.pool.localeCompare(b.pool));
    assert.deepEqual(
      { ...read, nodes: byPool(read.nodes) },
      { file: "admin1.yaml", ...sample, nodes: byPool(sample.nodes) },
    );
  });

  it("C10: comments, unknown documents, unknown fields, empty documents and CRLF line ends are left alone", () => {
    const more = sampleText
      .replace(
        "gcrKeyPath:",
        "# a comment\ncloudOperationsServiceAccountKeyPath: /none\nsomethingNew: [{host: other:5000}]\ngcrKeyPath:",
      )
      .concat(
        "---\n---\n# nothing\n---\napiVersion: v1\nkind: ConfigMap\ndata: {registryMirrors: nonsense}\n---\njust text\n---\napiVersion: cluster.x-k8s.io/v1beta1\nkind: Cluster\nmetadata: {name: foreign}\n",
      );
    assert.deepEqual(parseClusterFile(more.replaceAll("\n", "\r\n"), "admin1.yaml", unchecked), {
      file: "admin1.yaml",
      ...sample,
    });
  });

  it("C10: the same as an object, and as the list of its documents", () => {
    const documents = [...parseAllDocuments(sampleText)].map((document) => document.toJS() as Record<string, unknown>);
    assert.deepEqual(clusterOfConfig(documents, unchecked), { file: "clusterConfig", ...sample });
    const object = clusterOfConfig(
      {
        gcrKeyPath: sample.gcrKeyPath as string,
        sshPrivateKeyPath: sample.sshPrivateKeyPath as string,
        registryMirrors: [
          {
            endpoint: "https://172.18.0.20:5000",
            caCertPath: "/root/ca.crt",
            pullCredentialConfigPath: "/root/.docker/config.json",
            hosts: ["somehost.io", "otherhost.io"],
          },
        ],
        privateRegistries: [
          {
            host: "172.18.0.30:5007",
            caCertPath: "/root/private-ca.crt",
            pullCredentialConfigPath: "/root/.docker/config.json",
          },
        ],
        cluster: {
          metadata: { name: "admin1", namespace: "cluster-admin1" },
          spec: {
            controlPlane: {
              nodePoolSpec: {
                nodes: [{ address: "172.18.0.2" }, { address: "172.18.0.3" }, { address: "172.18.0.4" }],
              },
            },
            loadBalancer: { nodePoolSpec: { nodes: [{ address: "172.18.0.5" }, { address: "172.18.0.6" }] } },
          },
        },
        nodePools: [
          {
            metadata: { name: "np1" },
            spec: { nodes: [{ address: "172.18.0.10" }, { address: "172.18.0.11" }, { address: "172.18.0.12" }] },
          },
          {
            metadata: { name: "np2" },
            spec: { clusterName: "admin1", nodes: [{ address: "172.18.0.13" }, { address: "172.18.0.14" }] },
          },
        ],
      },
      unchecked,
    );
    assert.deepEqual(object, { file: "clusterConfig", ...sample });
  });

  it("C14: private registries need one of CA and credentials; the Cluster's own list, which bmctl makes of the header's, adds nothing", () => {
    const list =
      "privateRegistries:\n  - host: a.example:5007\n    caCertPath: /ca.crt\n  - host: b.example\n    pullCredentialConfigPath: /config.json\n    caCertPath:\n";
    const made =
      "  nodeConfig:\n    privateRegistries:\n      - host: a.example:5007\n        caCertSecretRef:\n          name: ca-9dd7\n          namespace: cluster-admin1\n";
    const read = [
      { host: "a.example:5007", caCertPath: "/ca.crt" },
      { host: "b.example", pullCredentialConfigPath: "/config.json" },
    ];
    for (const spec of ["", made]) {
      assert.deepEqual(parseClusterFile(file(list, cluster(spec)), "c.yaml", unchecked).privateRegistries, read);
    }
    const inSpec = "  nodeConfig:\n    privateRegistries:\n      - host: a.example:5007\n        caCertPath: /ca.crt\n";
    assert.deepEqual(parseClusterFile(file(cluster(inSpec)), "c.yaml", unchecked).privateRegistries, read.slice(0, 1));
  });

  it("C14: Secrets that only the admin cluster has are no problem where the program gives the registries", () => {
    const text = file(
      cluster(
        "  nodeConfig:\n    privateRegistries:\n      - host: a.example:5007\n        pullCredentialSecretRef: {name: p, namespace: n}\n",
      ),
    );
    assert.deepEqual(parseClusterFile(text, "c.yaml", { overridden: ["privateRegistries"] }).privateRegistries, []);
  });

  it("C8: a mirror's Secrets, which bmctl makes of the header's paths, add nothing", () => {
    const paths = "    caCertPath: /ca.crt\n    pullCredentialConfigPath: /config.json\n";
    const made =
      "  nodeConfig:\n    registryMirrors:\n      - endpoint: https://172.18.0.20:5000\n        caCertSecretRef: {name: ca, namespace: n}\n        pullCredentialSecretRef: {name: p, namespace: n}\n";
    const text = file(`registryMirrors:\n  - endpoint: https://172.18.0.20:5000\n${paths}`, cluster(made));
    const [mirror] = parseClusterFile(text, "c.yaml", unchecked).registryMirrors;
    assert.deepEqual([mirror?.caCertPath, mirror?.pullCredentialConfigPath], ["/ca.crt", "/config.json"]);
  });

  it("C8: a mirror's Secrets are no problem where the program gives the mirrors", () => {
    const made =
      "  nodeConfig:\n    registryMirrors:\n      - endpoint: https://172.18.0.20:5000\n        caCertSecretRef: {name: ca, namespace: n}\n";
    const { registryMirrors } = parseClusterFile(file(cluster(made)), "c.yaml", { overridden: ["registryMirrors"] });
    assert.deepEqual(registryMirrors, [{ endpoint: "https://172.18.0.20:5000", hosts: [] }]);
  });

  it("C9: the login user is root unless spec.nodeAccess.loginUser says otherwise", () => {
    assert.equal(parseClusterFile(file(cluster()), "c.yaml").loginUser, "root");
    assert.equal(parseClusterFile(file(cluster("  nodeAccess:\n    loginUser: abm\n")), "c.yaml").loginUser, "abm");
  });

  it("C8: caCertPath, pullCredentialConfigPath and hosts may be absent or left empty", () => {
    for (const mirror of [
      "  - endpoint: https://172.18.0.20:5000\n",
      '  - endpoint: https://172.18.0.20:5000\n    caCertPath:\n    pullCredentialConfigPath: ""\n    hosts:\n',
    ]) {
      assert.deepEqual(parseClusterFile(file(header(mirror), cluster()), "c.yaml").registryMirrors, [
        { endpoint: "https://172.18.0.20:5000", hosts: [] },
      ]);
    }
  });

  it("C1, C2: several mirrors keep their order; an endpoint may lack its scheme and may have a namespace behind /v2/", () => {
    const text = file(
      header(
        '  - endpoint: 172.18.0.20:5000/v2/team/images\n    hosts: [quay.io, "otherhost.io:8443"]\n  - endpoint: http://172.18.0.21:5000/v2/\n    hosts: [quay.io]\n',
      ),
      cluster(),
    );
    assert.deepEqual(parseClusterFile(text, "c.yaml").registryMirrors, [
      { endpoint: "https://172.18.0.20:5000/v2/team/images", hosts: ["quay.io", "otherhost.io:8443"] },
      { endpoint: "http://172.18.0.21:5000", hosts: ["quay.io"] },
    ]);
  });

  it("spec.nodeConfig.registryMirrors is read where the header has none, and may say the same as the header", () => {
    const mirrors = "- endpoint: https://172.18.0.20:5000\n";
    const inSpec = cluster(`  nodeConfig:\n    registryMirrors:\n      ${mirrors}        hosts: [b.io, a.io]\n`);
    const expected = [{ endpoint: "https://172.18.0.20:5000", hosts: ["b.io", "a.io"] }];
    assert.deepEqual(parseClusterFile(file(inSpec), "c.yaml").registryMirrors, expected);
    assert.deepEqual(parseClusterFile(file(header(`  ${mirrors}`), inSpec), "c.yaml").registryMirrors, expected);
    assert.deepEqual(
      parseClusterFile(file(header(`  ${mirrors}    hosts: [a.io, b.io]\n`), inSpec), "c.yaml").registryMirrors[0]
        ?.hosts,
      ["a.io", "b.io"],
    );
  });

  it("C12: one file with two clusters gives each its own nodes, and wants to be told which", () => {
    const text = file(
      header("  - endpoint: https://172.18.0.20:5000\n"),
      cluster(),
      pool("np1", ["10.0.0.1"]),
      cluster("", "user1"),
      pool("np1", ["10.0.0.2", "10.0.0.3"], "user1"),
    );
    assert.deepEqual(parseClusterFile(text, "both.yaml", { clusterName: "admin1" }).nodes, [
      { address: "10.0.0.1", role: "worker", pool: "np1" },
    ]);
    assert.deepEqual(
      parseClusterFile(text, "both.yaml", { clusterName: "user1" }).nodes.map((node) => node.address),
      ["10.0.0.2", "10.0.0.3"],
    );
    assert.equal(
      errorOf(() => parseClusterFile(text, "both.yaml")).message,
      "both.yaml: it has the Clusters admin1, user1: say which one with clusterName, and declare one MirroredCluster for each [CLUSTER_AMBIGUOUS]",
    );
    assert.equal(
      errorOf(() => parseClusterFile(text, "both.yaml", { clusterName: "user2" })).message,
      'both.yaml: there is no Cluster "user2" in it; it has admin1, user1 [CLUSTER_NOT_FOUND]',
    );
  });

  it("IPv6 addresses are kept in one spelling", () => {
    assert.deepEqual(
      parseClusterFile(file(cluster(), pool("np1", ['"FD00:0:0::10"', "10.0.0.1"])), "c.yaml").nodes.map(
        (node) => node.address,
      ),
      ["fd00::10", "10.0.0.1"],
    );
  });

  it("anchors and merge keys are followed, where YAML would expand a billion aliases too", () => {
    const bomb = [
      "&a [x, x]",
      ...Array.from(
        { length: 30 },
        (_, i) =>
          `&${String.fromCharCode(98 + (i % 24))}${i} [*${i === 0 ? "a" : `${String.fromCharCode(98 + ((i - 1) % 24))}${i - 1}`}, *${i === 0 ? "a" : `${String.fromCharCode(98 + ((i - 1) % 24))}${i - 1}`}]`,
      ),
    ];
    const text = file(
      `common: &common\n  caCertPath:\n  hosts: &hosts [quay.io]\nbomb:\n${bomb.map((line, i) => `  k${i}: ${line}\n`).join("")}registryMirrors:\n  - <<: *common\n    endpoint: https://172.18.0.20:5000\n  - endpoint: https://172.18.0.21:5000\n    hosts: *hosts\n`,
      cluster(),
    );
    assert.deepEqual(
      parseClusterFile(text, "c.yaml").registryMirrors.map((mirror) => mirror.hosts),
      [["quay.io"], ["quay.io"]],
    );
  });

  it("C8, C9: relative paths are relative to the file, or to the folder that holds bmctl-workspace, as bmctl takes them", () =>
    withFolder(
      {
        "ca.crt": "ca",
        "keys/id": "key",
        "ws/bmctl-workspace/admin1/admin1.yaml": "",
        "ws/bmctl-workspace/.sa-keys/gcr.json": "{}",
        "ws/bmctl-workspace/admin1/near.crt": "ca",
      },
      (folder) => {
        const text = (gcr: string, ssh: string, ca: string) =>
          file(
            `gcrKeyPath: ${gcr}\nsshPrivateKeyPath: ${ssh}\n${header(`  - endpoint: https://172.18.0.20:5000\n    caCertPath: ${ca}\n`)}`,
            cluster(),
          );
        const beside = parseClusterFile(text("ca.crt", "keys/id", join(folder, "ca.crt")), join(folder, "admin1.yaml"));
        assert.deepEqual(
          [beside.gcrKeyPath, beside.sshPrivateKeyPath, beside.registryMirrors[0]?.caCertPath],
          [join(folder, "ca.crt"), join(folder, "keys/id"), join(folder, "ca.crt")],
        );
        const workspace = join(folder, "ws/bmctl-workspace");
        const inWorkspace = parseClusterFile(
          text("bmctl-workspace/.sa-keys/gcr.json", join(folder, "keys/id"), "near.crt"),
          join(workspace, "admin1/admin1.yaml"),
        );
        assert.deepEqual(
          [inWorkspace.gcrKeyPath, inWorkspace.registryMirrors[0]?.caCertPath],
          [join(workspace, ".sa-keys/gcr.json"), join(workspace, "admin1/near.crt")],
        );
      },
    ));

  it("a file that the program overrides need not be there", () => {
    const text = file("gcrKeyPath: /none/gcr.json\nsshPrivateKeyPath: /none/id\n", cluster());
    assert.equal(
      parseClusterFile(text, "c.yaml", { overridden: ["gcrKeyPath", "sshPrivateKeyPath"] }).sshPrivateKeyPath,
      "/none/id",
    );
  });
});
