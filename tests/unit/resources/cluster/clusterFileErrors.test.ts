import assert from "node:assert/strict";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import * as pulumi from "@pulumi/pulumi";

import { MirrorError } from "../../../../provider/model/errors";
import type { ClusterConfig } from "../../../../provider/resources/cluster/clusterConfig";
import { clusterOfConfig, parseClusterFile, readClusterFile } from "../../../../provider/resources/cluster/clusterFile";
import { ClusterFileError } from "../../../../provider/resources/cluster/errors";
import { cluster, errorOf, file, header, pool, withFolder } from "./sample";

const mirror = (rest = "", endpoint = "https://172.18.0.20:5000"): string => `  - endpoint: ${endpoint}\n${rest}`;
const controlPlane = (address: string): string =>
  `  controlPlane:\n    nodePoolSpec:\n      nodes:\n        - address: ${address}\n`;
const loadBalancer = (address: string): string =>
  `  loadBalancer:\n    nodePoolSpec:\n      nodes:\n        - address: ${address}\n`;

/** One thing wrong with a file, and the whole message a person reads. */
const table: { title: string; text: string; message: string; code: string }[] = [
  {
    title: "C1: a mirror without endpoint",
    text: file(header("  - caCertPath:\n    hosts: [quay.io]\n"), cluster()),
    code: "CLUSTER_FIELD_MISSING",
    message:
      "c.yaml:3:5, document 1 (header), registryMirrors[0].endpoint: a mirror needs an endpoint: https://HOST:PORT, or https://HOST:PORT/v2/NAMESPACE",
  },
  {
    title: "C2: a namespace without /v2/",
    text: file(header(mirror("", "https://172.18.0.20:5000/test-namespace")), cluster()),
    code: "CLUSTER_ENDPOINT_INVALID",
    message:
      'c.yaml:3:15, document 1 (header), registryMirrors[0].endpoint: "https://172.18.0.20:5000/test-namespace" has the namespace "test-namespace" without /v2/ before it: write https://172.18.0.20:5000/v2/test-namespace',
  },
  {
    title: "C2: a namespace without /v2/, and no scheme",
    text: file(header(mirror("", "172.18.0.20:5000/a/b/")), cluster()),
    code: "CLUSTER_ENDPOINT_INVALID",
    message:
      'c.yaml:3:15, document 1 (header), registryMirrors[0].endpoint: "172.18.0.20:5000/a/b/" has the namespace "a/b" without /v2/ before it: write https://172.18.0.20:5000/v2/a/b',
  },
  {
    title: "C14: a private registry without a host",
    text: file("privateRegistries:\n  - caCertPath:\n", cluster()),
    code: "CLUSTER_FIELD_MISSING",
    message:
      "c.yaml:3:5, document 1 (header), privateRegistries[0].host: a private registry needs a host: HOST:PORT as it stands in image names",
  },
  {
    title: "C14: a private registry with a scheme",
    text: file("privateRegistries:\n  - host: https://x.example:5007\n", cluster()),
    code: "CLUSTER_HOST_INVALID",
    message:
      'c.yaml:3:11, document 1 (header), privateRegistries[0].host: host "https://x.example:5007": only the host\'s name belongs here, like gcr.io or otherhost.io:8443, without a scheme and without a path',
  },
  {
    title: "C14: a private registry with nothing to say",
    text: file("privateRegistries:\n  - host: x.example:5007\n    caCertPath:\n", cluster()),
    code: "CLUSTER_FIELD_MISSING",
    message:
      "c.yaml:3:5, document 1 (header), privateRegistries[0]: the private registry x.example:5007 has neither caCertPath nor pullCredentialConfigPath: add one, or remove the entry",
  },
  {
    title: "C14: a user cluster's Secrets, which are not in the file",
    text: file(
      cluster(
        "  nodeConfig:\n    privateRegistries:\n      - host: x.example:5007\n        caCertSecretRef:\n          name: ca\n",
      ),
    ),
    code: "CLUSTER_FIELD_UNSUPPORTED",
    message:
      "c.yaml:13:11, document 1 (Cluster admin1), spec.nodeConfig.privateRegistries[0].caCertSecretRef: the CA and the credentials of x.example:5007 stand in Secrets of the admin cluster, which are not read here: give MirroredCluster privateRegistries with caCertPath and pullCredentialConfigPath instead ([] for none)",
  },
  {
    title: "C8: a mirror's credentials in a Secret, which are not in the file",
    text: file(
      header(mirror()),
      cluster(
        "  nodeConfig:\n    registryMirrors:\n      - endpoint: https://172.18.0.20:5000\n        pullCredentialSecretRef: { name: p, namespace: n }\n",
      ),
    ),
    code: "CLUSTER_FIELD_UNSUPPORTED",
    message:
      "c.yaml:15:34, document 2 (Cluster admin1), spec.nodeConfig.registryMirrors[0].pullCredentialSecretRef: this stands in a Secret of the admin cluster, which is not read here: give pullCredentialConfigPath for https://172.18.0.20:5000 in registryMirrors of the header, or here",
  },
  {
    title: "C8: a mirror's CA in a Secret, in the header too",
    text: file(header(mirror("    caCertSecretRef: { name: ca, namespace: n }\n")), cluster()),
    code: "CLUSTER_FIELD_UNSUPPORTED",
    message:
      "c.yaml:4:22, document 1 (header), registryMirrors[0].caCertSecretRef: this stands in a Secret of the admin cluster, which is not read here: give caCertPath for https://172.18.0.20:5000 in registryMirrors of the header, or here",
  },
  {
    title: "C14: a private registry with a path and a Secret for the other one",
    text: file(
      "privateRegistries:\n  - host: x.example:5007\n    pullCredentialConfigPath: /etc/hosts\n    caCertSecretRef: { name: ca }\n",
      cluster(),
    ),
    code: "CLUSTER_FIELD_UNSUPPORTED",
    message:
      "c.yaml:5:22, document 1 (header), privateRegistries[0].caCertSecretRef: this stands in a Secret of the admin cluster, which is not read here: give caCertPath for x.example:5007 in the same entry",
  },
  {
    title: "C14: a Secret of the Cluster's own list for which the header has no path",
    text: file(
      "privateRegistries:\n  - host: x.example:5007\n    caCertPath: /etc/hosts\n",
      cluster(
        "  nodeConfig:\n    privateRegistries:\n      - host: x.example:5007\n        pullCredentialSecretRef: { name: p }\n",
      ),
    ),
    code: "CLUSTER_FIELD_UNSUPPORTED",
    message:
      "c.yaml:16:34, document 2 (Cluster admin1), spec.nodeConfig.privateRegistries[0].pullCredentialSecretRef: this stands in a Secret of the admin cluster, which is not read here: give pullCredentialConfigPath for x.example:5007 in privateRegistries of the header",
  },
  {
    title: "C11: another container runtime",
    text: file(header(mirror()), cluster("  nodeConfig:\n    containerRuntime: docker\n")),
    code: "CLUSTER_RUNTIME_UNSUPPORTED",
    message:
      'c.yaml:13:23, document 2 (Cluster admin1), spec.nodeConfig.containerRuntime: the container runtime is "docker", and a registry mirror works only with containerd: set containerRuntime: containerd, or remove the line',
  },
  {
    title: "C3: a host twice",
    text: file(header(mirror("    hosts:\n      - quay.io\n      - Quay.io\n")), cluster()),
    code: "CLUSTER_HOST_CONFLICT",
    message:
      "c.yaml:6:9, document 1 (header), registryMirrors[0].hosts[1]: the host Quay.io stands twice for this mirror, here and in line 5 (header registryMirrors[0].hosts[0]): remove one",
  },
  {
    title: "C3: a host with a scheme",
    text: file(header(mirror('    hosts: ["https://quay.io"]\n')), cluster()),
    code: "CLUSTER_HOST_INVALID",
    message:
      'c.yaml:4:13, document 1 (header), registryMirrors[0].hosts[0]: "https://quay.io" is no registry host: write it as it stands in image names, such as quay.io or quay.io:8443, without scheme, path or wildcard',
  },
  {
    title: "C3: a wildcard host",
    text: file(header(mirror("    hosts: ['*.io']\n")), cluster()),
    code: "CLUSTER_HOST_INVALID",
    message:
      'c.yaml:4:13, document 1 (header), registryMirrors[0].hosts[0]: "*.io" is no registry host: write it as it stands in image names, such as quay.io or quay.io:8443, without scheme, path or wildcard',
  },
  {
    title: "C3: a host that is a mirror itself",
    text: file(header(mirror('    hosts: [quay.io, "172.18.0.20:5000"]\n')), cluster()),
    code: "CLUSTER_HOST_CONFLICT",
    message:
      "c.yaml:4:22, document 1 (header), registryMirrors[0].hosts[1]: 172.18.0.20:5000 is a mirror itself; hosts lists the public registries that are mirrored",
  },
  {
    title: "C1: one endpoint in two entries",
    text: file(
      header(`${mirror("    hosts: [a.io]\n")}${mirror("    hosts: [b.io]\n", "https://172.18.0.20:5000/v2/")}`),
      cluster(),
    ),
    code: "CLUSTER_HOST_CONFLICT",
    message:
      "c.yaml:5:15, document 1 (header), registryMirrors[1].endpoint: the endpoint https://172.18.0.20:5000 stands twice, here and in line 3 (header registryMirrors[0]): put all hosts into one entry",
  },
  {
    title: "the header and spec.nodeConfig.registryMirrors name other mirrors",
    text: file(
      header(mirror()),
      cluster("  nodeConfig:\n    registryMirrors:\n      - endpoint: https://172.18.0.21:5000\n"),
    ),
    code: "CLUSTER_FIELD_CONFLICT",
    message:
      "c.yaml:14:7, document 2 (Cluster admin1), spec.nodeConfig.registryMirrors: the mirrors here (https://172.18.0.21:5000) are not those of line 3 (header registryMirrors) (https://172.18.0.20:5000): keep them in one of the two places",
  },
  {
    title: "the header and spec.nodeConfig.registryMirrors name other hosts",
    text: file(
      header(mirror("    hosts: [a.io]\n")),
      cluster(
        "  nodeConfig:\n    registryMirrors:\n      - endpoint: https://172.18.0.20:5000\n        hosts: [b.io]\n",
      ),
    ),
    code: "CLUSTER_FIELD_CONFLICT",
    message:
      "c.yaml:16:16, document 2 (Cluster admin1), spec.nodeConfig.registryMirrors[0].hosts: the hosts here (b.io) are not those of line 4 (header registryMirrors[0].hosts) (a.io): keep them in one of the two places",
  },
  {
    title: "C10: a node in the control plane and in the load balancer pool",
    text: file(cluster(`${controlPlane("10.0.0.1")}${loadBalancer("10.0.0.1")}`)),
    code: "CLUSTER_ADDRESS_TWICE",
    message:
      "c.yaml:16:20, document 1 (Cluster admin1), spec.loadBalancer.nodePoolSpec.nodes[0].address: the node 10.0.0.1 stands in the pool control-plane already, in line 12 (Cluster admin1 spec.controlPlane.nodePoolSpec.nodes[0].address): a node belongs to one pool, once",
  },
  {
    title: "C10: a node in two node pools, in two spellings",
    text: file(cluster(), pool("np1", ['"fd00::1"']), pool("np2", ['"FD00:0::1"'])),
    code: "CLUSTER_ADDRESS_TWICE",
    message:
      "c.yaml:26:16, document 3 (NodePool np2), spec.nodes[0].address: the node fd00::1 stands in the pool np1 already, in line 17 (NodePool np1 spec.nodes[0].address): a node belongs to one pool, once",
  },
  {
    title: "C10: a node twice in one pool",
    text: file(cluster(), pool("np1", ["10.0.0.1", "10.0.0.1"])),
    code: "CLUSTER_ADDRESS_TWICE",
    message:
      "c.yaml:18:16, document 2 (NodePool np1), spec.nodes[1].address: the node 10.0.0.1 stands in this pool already, in line 17 (NodePool np1 spec.nodes[0].address): a node belongs to one pool, once",
  },
  {
    title: "C10: a placeholder of bmctl's template where an address belongs",
    text: file(cluster(), pool("np1", ["<Machine 1 IP>"])),
    code: "CLUSTER_ADDRESS_INVALID",
    message:
      'c.yaml:17:16, document 2 (NodePool np1), spec.nodes[0].address: "<Machine 1 IP>" is not an IP address, and bmctl takes nothing else here',
  },
  {
    title: "C10: an address that YAML reads as a number",
    text: file(cluster(), pool("np1", ["10.0"])),
    code: "CLUSTER_FIELD_TYPE",
    message:
      "c.yaml:17:16, document 2 (NodePool np1), spec.nodes[0].address: this is a number and must be text; put it in quotes",
  },
  {
    title: "C10: a NodePool of a cluster that is not there",
    text: file(cluster(), pool("np1", ["10.0.0.1"], "amdin1")),
    code: "CLUSTER_POOL_UNKNOWN",
    message:
      'c.yaml:15:16, document 2 (NodePool np1), spec.clusterName: there is no Cluster "amdin1" in this file; it has admin1',
  },
  {
    title: "C10: no Cluster at all",
    text: file(header(mirror())),
    code: "CLUSTER_NOT_FOUND",
    message: "c.yaml: there is no Cluster in it (apiVersion baremetal.cluster.gke.io/v1, kind Cluster)",
  },
  {
    title: "C10: an empty file",
    text: "",
    code: "CLUSTER_NOT_FOUND",
    message: "c.yaml: there is no Cluster in it (apiVersion baremetal.cluster.gke.io/v1, kind Cluster)",
  },
  {
    title: "a tab in the indentation",
    text: "---\nregistryMirrors:\n\t- endpoint: x\n",
    code: "CLUSTER_FILE_SYNTAX",
    message: "c.yaml:3:1, document 1: a tab stands in the indentation; YAML takes only spaces there",
  },
  {
    title: "a key twice",
    text: file("gcrKeyPath: /a\ngcrKeyPath: /b\n", cluster()),
    code: "CLUSTER_FILE_SYNTAX",
    message:
      "c.yaml:3:1, document 1: this key stands twice in the same mapping; which of the two is meant is not for us to guess, so remove one",
  },
  {
    title: "a field of the header in two documents",
    text: file("gcrKeyPath: ./a\n", cluster(), "gcrKeyPath: ./b\n"),
    code: "CLUSTER_FIELD_CONFLICT",
    message:
      "c.yaml:12:13, document 3 (header), gcrKeyPath: gcrKeyPath stands in line 2 (header gcrKeyPath) already: remove one",
  },
  {
    title: "hosts that are no list",
    text: file(header(mirror("    hosts: quay.io\n")), cluster()),
    code: "CLUSTER_FIELD_TYPE",
    message: "c.yaml:4:12, document 1 (header), registryMirrors[0].hosts: this is a string and must be a list",
  },
  {
    title: "a Cluster without a name",
    text: file("apiVersion: baremetal.cluster.gke.io/v1\nkind: Cluster\nmetadata: {}\n"),
    code: "CLUSTER_FIELD_MISSING",
    message: "c.yaml:4:11, document 1 (Cluster), metadata.name: a Cluster needs a name",
  },
];

describe("cluster file errors: file, document, line, field, value and the way out", () => {
  for (const { title, text, message, code } of table) {
    it(title, () => {
      const error = errorOf(() => parseClusterFile(text, "c.yaml", { overridden: ["gcrKeyPath"] }));
      assert.equal(error.message, `${message} [${code}]`);
      assert.equal(error.code, code);
      assert.ok(error instanceof MirrorError && error instanceof ClusterFileError);
    });
  }

  it("all problems of a file come at once, in the order of the file", () => {
    const text = file(
      header(mirror("    hosts: ['a b']\n", "ftp://172.18.0.20:5000")),
      cluster("  nodeConfig:\n    containerRuntime: cri-o\n"),
      pool("np1", ["x"]),
    );
    const error = errorOf(() => parseClusterFile(text, "c.yaml"));
    assert.deepEqual(
      error.problems.map((problem) => [problem.line, problem.field]),
      [
        [3, "registryMirrors[0].endpoint"],
        [4, "registryMirrors[0].hosts[0]"],
        [14, "spec.nodeConfig.containerRuntime"],
        [23, "spec.nodes[0].address"],
      ],
    );
    assert.match(error.message, /^c\.yaml has 4 problems:\n {2}c\.yaml:3:15, /);
    assert.equal(error.reasons.length, 4);
  });

  it("B8: a password in an endpoint, and a broken line near a secret, are not repeated", () => {
    const endpoint = errorOf(() =>
      parseClusterFile(file(header(mirror("", "https://me:geheim@172.18.0.20:5000")), cluster()), "c.yaml"),
    );
    assert.doesNotMatch(endpoint.message, /geheim/);
    assert.match(endpoint.message, /credentials do not belong in the address/);
    const broken = errorOf(() =>
      parseClusterFile(file(cluster('  authentication:\n    oidc:\n      clientSecret: "geheim\n')), "c.yaml"),
    );
    assert.equal(broken.code, "CLUSTER_FILE_SYNTAX");
    assert.doesNotMatch(broken.message, /geheim/);
  });

  it("C8, C9: files that are missing, folders in their place, and ~ are told with the field's line", () =>
    withFolder({ "c.yaml": "" }, (folder) => {
      mkdirSync(join(folder, "folder"));
      const text = file(
        `gcrKeyPath: folder\nsshPrivateKeyPath: ~/.ssh/id_rsa\n${header(mirror("    caCertPath: ca.crt\n    pullCredentialConfigPath: /none/config.json\n"))}`,
        cluster(),
      );
      writeFileSync(join(folder, "c.yaml"), text);
      const at = join(folder, "c.yaml");
      assert.deepEqual(errorOf(() => readClusterFile(at)).reasons, [
        `${at}:2:13, document 1 (header), gcrKeyPath: "${join(folder, "folder")}" is not a file but a folder [CLUSTER_PATH_MISSING]`,
        `${at}:3:20, document 1 (header), sshPrivateKeyPath: "~/.ssh/id_rsa" starts with "~", which nobody expands here: write the whole path [CLUSTER_PATH_MISSING]`,
        `${at}:6:17, document 1 (header), registryMirrors[0].caCertPath: there is no file "${join(folder, "ca.crt")}" (a relative path is taken from the cluster file's folder) [CLUSTER_PATH_MISSING]`,
        `${at}:7:31, document 1 (header), registryMirrors[0].pullCredentialConfigPath: there is no file "/none/config.json" [CLUSTER_PATH_MISSING]`,
      ]);
    }));

  it("a cluster file that is missing, a folder, or not text", () =>
    withFolder({ "sub/x": "" }, (folder) => {
      assert.match(
        errorOf(() => readClusterFile(join(folder, "none.yaml"))).message,
        /none\.yaml: there is no such file \(looked from /,
      );
      assert.match(
        errorOf(() => readClusterFile(join(folder, "sub"))).message,
        /sub: this is a folder; name the cluster's YAML file in it \[CLUSTER_FILE_UNREADABLE\]$/,
      );
      writeFileSync(join(folder, "binary"), Buffer.from([0xff, 0xfe, 0x41, 0x00]));
      assert.match(
        errorOf(() => readClusterFile(join(folder, "binary"))).message,
        /binary: this is not UTF-8 text \[CLUSTER_FILE_UNREADABLE\]$/,
      );
    }));

  it("an object's problems name document and field, and an output in it is refused", () => {
    const config = { cluster: { metadata: { name: "admin1" }, spec: { nodeConfig: { containerRuntime: "docker" } } } };
    assert.equal(
      errorOf(() => clusterOfConfig(config)).message,
      'clusterConfig, document 2 (Cluster admin1), spec.nodeConfig.containerRuntime: the container runtime is "docker", and a registry mirror works only with containerd: set containerRuntime: containerd, or remove the line [CLUSTER_RUNTIME_UNSUPPORTED]',
    );
    const withOutput = { ...config, registryMirrors: [{ endpoint: pulumi.output("x") }] } as unknown as ClusterConfig;
    assert.match(errorOf(() => clusterOfConfig(withOutput)).message, /is a Pulumi output/);
  });

  it("lists nested thousands deep end in an error, not in a crash", () => {
    assert.equal(errorOf(() => parseClusterFile(`a: ${"[".repeat(10_000)}`, "c.yaml")).code, "CLUSTER_FILE_SYNTAX");
  });

  it("an alias that contains itself is followed no further than our fields go", () => {
    assert.equal(
      errorOf(() => parseClusterFile(file("registryMirrors: &a [*a]\n", cluster()), "c.yaml")).code,
      "CLUSTER_FIELD_TYPE",
    );
    assert.equal(parseClusterFile(file("loop: &l\n  <<: *l\n", cluster()), "c.yaml").name, "admin1");
  });
});
