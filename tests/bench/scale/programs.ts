import { cpSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const repository = join(__dirname, "../../..");

/**
 * `ours`: NodeContainerd; `empty`: a dynamic resource without a property, its provider an inline object, as a user
 * writes one.
 */
export type Tool = "ours" | "empty";

/** What the program with our nodes is told. */
export interface Site {
  source: string;
  /** `https://HOST:PORT/v2/NAMESPACE` */
  endpoint: string;
  caCertPath: string;
  hosts: string[];
  username: string;
  password: string;
}

/** Addresses of nodes that nobody ever dials. */
function addresses(count: number): string[] {
  return Array.from({ length: count }, (_, i) => `127.66.${100 + Math.floor(i / 200)}.${10 + (i % 200)}`);
}

/**
 * A copy of the built package, with the one room exchanged that speaks SSH. Put beside the programs, so that a build
 * meanwhile changes nothing; below the repository, so that its dependencies are found.
 */
export function installPackage(folder: string): void {
  const own = join(folder, "node_modules", "pulumi-registry-mirror");
  mkdirSync(own, { recursive: true });
  cpSync(join(repository, "dist"), join(own, "dist"), { recursive: true });
  writeFileSync(join(own, "package.json"), readFileSync(join(repository, "package.json")));
  writeFileSync(
    join(own, "dist/provider/node/index.js"),
    `module.exports = require(${JSON.stringify(join(__dirname, "silentNodes.mjs"))});\n`,
  );
}

/**
 * Writes a program into a folder of its own. Both kinds run without a compiler and differ in nothing but what they
 * declare.
 */
export function writeProgram(folder: string, tool: Tool, nodes: number, site: Site): void {
  mkdirSync(folder, { recursive: true });
  writeFileSync(
    join(folder, "Pulumi.yaml"),
    "name: scale\nruntime:\n  name: nodejs\n  options:\n    typescript: false\n",
  );
  writeFileSync(join(folder, "package.json"), '{"name": "scale", "private": true, "main": "index.js"}\n');
  writeFileSync(join(folder, "args.json"), JSON.stringify({ nodes: addresses(nodes), site }));
  writeFileSync(join(folder, "index.js"), tool === "ours" ? ours : empty);
}

const ours = `
const pulumi = require("@pulumi/pulumi");
const mirror = require("pulumi-registry-mirror");
const { nodes, site } = JSON.parse(require("node:fs").readFileSync("args.json", "utf8"));
const { source, endpoint, caCertPath, username, hosts } = site;
const password = pulumi.secret(site.password);

const images = new mirror.ImagePushSet("images", { source, registry: { endpoint, caCertPath, username, password } });
const config = new mirror.RegistryMirror("mirror", { registryMirrors: [{ endpoint, caCertPath, username, password, hosts }] });
const declared = nodes.map((host) => new mirror.NodeContainerd(\`node-\${host}\`, {
  connection: { host, user: "root", privateKeyPath: "/root/.ssh/id_ed25519", knownHostsPath: "/root/.ssh/known_hosts" },
  mirror: config,
  images: images.images,
  probe: images.probe,
}));
exports.report = mirror.verificationReport(declared.map((node) => node.verification));
`;

const empty = `
const pulumi = require("@pulumi/pulumi");
const { nodes } = JSON.parse(require("node:fs").readFileSync("args.json", "utf8"));

const provider = { async create() { return { id: "empty", outs: {} }; } };
class Empty extends pulumi.dynamic.Resource {
  constructor(name) {
    super(provider, name, {});
  }
}
for (const host of nodes) {
  new Empty(\`node-\${host}\`);
}
`;
