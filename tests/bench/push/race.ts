import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import type { ImageList } from "../../../provider/registry/source/imageList";
import type { Arena } from "./arena";
import type { BenchPackage } from "./benchPackage";
import type { Row, Tool, Work } from "./figures";
import type { Cost } from "./measure";
import { measure } from "./measure";

/** One tool after the other, each on a registry that only it has touched. */
export class Race {
  constructor(
    private readonly arena: Arena,
    private readonly programs: Readonly<Record<Exclude<Tool, "ours">, string>>,
  ) {}

  private get state(): string {
    return join(this.arena.folder, "state");
  }

  /** As on a machine that has never seen the package. */
  forget(): void {
    rmSync(this.state, { recursive: true, force: true });
    mkdirSync(join(this.state, "cache"), { recursive: true });
    mkdirSync(join(this.state, "spool"), { recursive: true });
  }

  /** Puts the images into the registry that they are copied from. */
  async fillSource(pkg: BenchPackage): Promise<void> {
    this.forget();
    await this.ours(pkg.path, [this.arena.sourceHostPort]);
  }

  async run(work: Work, tool: Tool, pkg: BenchPackage): Promise<Row> {
    const before = this.arena.bytes();
    const cpuBefore = this.arena.registryCpuSeconds();
    const hostPort = work === "slow" ? this.arena.lateHostPort : this.arena.hostPort;
    const cost = await this.cost(work, tool, pkg, hostPort);
    const bytesSent = this.arena.bytes() - before;
    const registryCpuSeconds = this.arena.registryCpuSeconds() - cpuBefore;
    const places = work === "two registries" || work === "two runs" ? [5000, 5002] : [5000];
    await Promise.all(places.map((port) => this.check(pkg, port)));
    const unpacked = /^unpacked (\d+)$/m.exec(cost.output)?.[1];
    const { seconds, peakMemoryBytes, extraDiskBytes, cpuSeconds } = cost;
    return {
      work,
      tool,
      seconds,
      peakMemoryBytes,
      extraDiskBytes,
      bytesSent,
      cpuSeconds,
      registryCpuSeconds,
      ...(unpacked === undefined ? {} : { unpackSeconds: Number(unpacked) / 1000 }),
    };
  }

  private cost(work: Work, tool: Tool, pkg: BenchPackage, hostPort: string): Promise<Cost> {
    if (work === "copy" || work === "nothing of copy") {
      return tool === "ours" ? this.ours(this.listOf(pkg), [hostPort]) : this.peerCopy(tool, pkg, hostPort);
    }
    if (work === "two registries") {
      return this.ours(pkg.path, [hostPort, this.arena.sourceHostPort]);
    }
    if (work === "two runs") {
      return this.twoRuns(pkg, [hostPort, this.arena.sourceHostPort]);
    }
    return tool === "ours" ? this.ours(pkg.path, [hostPort]) : this.peer(tool, pkg, hostPort);
  }

  private listOf({ images }: BenchPackage): ImageList {
    const reached = { endpoint: this.arena.sourceHostPort, caCertPath: this.arena.caPath };
    return { images: images.map(({ name }) => name), registries: { "gcr.io": reached } };
  }

  /** One after the other, as two push sets without a list do it on a machine that has not seen the package. */
  private async twoRuns(pkg: BenchPackage, [first, second]: [string, string]): Promise<Cost> {
    const one = await this.ours(pkg.path, [first]);
    this.forget();
    const two = await this.ours(pkg.path, [second]);
    return {
      ...two,
      seconds: one.seconds + two.seconds,
      cpuSeconds: one.cpuSeconds + two.cpuSeconds,
      peakMemoryBytes: Math.max(one.peakMemoryBytes, two.peakMemoryBytes),
      extraDiskBytes: Math.max(one.extraDiskBytes, two.extraDiskBytes),
    };
  }

  private ours(source: string | ImageList, hostPorts: readonly string[]): Promise<Cost> {
    const folders = [join(this.state, "cache"), join(this.state, "spool")];
    const input = JSON.stringify({
      connections: hostPorts.map((endpoint) => ({ endpoint, caCertPath: this.arena.caPath })),
      source,
      cacheDir: folders[0],
      spoolDir: folders[1],
    });
    return measure(this.arena.inside([process.execPath, join(__dirname, "ours.mjs")]), { input, folders });
  }

  /** crane knows one image at a time; skopeo and regsync take a list. */
  private peerCopy(tool: Exclude<Tool, "ours">, pkg: BenchPackage, hostPort: string): Promise<Cost> {
    const commands = {
      crane: () => this.craneCopy(pkg, hostPort),
      skopeo: () => this.skopeoSync(pkg, hostPort),
      regsync: () => this.regsyncOnce(pkg, hostPort),
    };
    const script = ["set -e", ...commands[tool]()].join("\n");
    return measure(this.arena.inside(["sh", "-c", script]), {
      env: { ...process.env, SSL_CERT_FILE: this.arena.caPath },
      folders: [this.state],
    });
  }

  private craneCopy({ images }: BenchPackage, hostPort: string): string[] {
    return images.map(
      ({ repository, tag }) =>
        `"${this.programs.crane}" copy "${this.arena.sourceHostPort}/${repository}:${tag}" "${hostPort}/${repository}:${tag}"`,
    );
  }

  private skopeoSync({ images }: BenchPackage, hostPort: string): string[] {
    const { folder, sourceHostPort } = this.arena;
    const list = join(this.state, "images.yaml");
    const wanted = Object.fromEntries(images.map(({ repository, tag }) => [repository, [tag]]));
    writeFileSync(list, JSON.stringify({ [sourceHostPort]: { images: wanted, "cert-dir": `${folder}/certs.d` } }));
    // skopeo keeps the last part of a repository alone.
    return [
      `"${this.programs.skopeo}" --insecure-policy sync --all --preserve-digests --dest-cert-dir "${folder}/certs.d" --src yaml --dest docker "${list}" "${hostPort}/bench"`,
    ];
  }

  /** Several images at a time, which it does not do by itself. */
  private regsyncOnce({ images }: BenchPackage, hostPort: string): string[] {
    const { caPath, sourceHostPort } = this.arena;
    const config = join(this.state, "regsync.yaml");
    const regcert = readFileSync(caPath, "utf8");
    const sync = images.map(({ repository, tag }) => ({
      source: `${sourceHostPort}/${repository}:${tag}`,
      target: `${hostPort}/${repository}:${tag}`,
      type: "image",
    }));
    const creds = [sourceHostPort, hostPort].map((registry) => ({ registry, regcert }));
    writeFileSync(config, JSON.stringify({ version: 1, creds, defaults: { parallel: 4 }, sync }));
    return [`"${this.programs.regsync}" once --config "${config}" --verbosity warn`];
  }

  private async peer(tool: Exclude<Tool, "ours">, pkg: BenchPackage, hostPort: string): Promise<Cost> {
    const folder = join(this.state, "unpacked");
    rmSync(folder, { recursive: true, force: true });
    const { caPath } = this.arena;
    const push = pkg.images.map(({ name, repository, tag, indexPath }, i) =>
      tool === "skopeo"
        ? `"${this.programs.skopeo}" --insecure-policy copy --quiet --all --preserve-digests --dest-cert-dir "${this.arena.folder}/certs.d" "oci:${folder}:${name}" "docker://${hostPort}/${repository}:${tag}"`
        : `mkdir "${folder}/one-${i}" && ln -s ../blobs ../oci-layout "${folder}/one-${i}/" && cp "${indexPath}" "${folder}/one-${i}/index.json" && "${this.programs.crane}" push "${folder}/one-${i}" "${hostPort}/${repository}:${tag}" > /dev/null`,
    );
    const script = `set -e
start=$(date +%s%N)
mkdir -p "${folder}"
xz -dc "${pkg.path}" | tar -C "${folder}" -xf -
echo "unpacked $(( ($(date +%s%N) - start) / 1000000 ))"
${push.join("\n")}`;
    const cost = await measure(this.arena.inside(["sh", "-c", script]), {
      env: { ...process.env, SSL_CERT_FILE: caPath },
      folders: [folder],
    });
    rmSync(folder, { recursive: true, force: true });
    return cost;
  }

  /** Whatever was fastest, it counts only when every image has its digest. */
  private async check(pkg: BenchPackage, port: number): Promise<void> {
    const script = `
      const https = require("https"), fs = require("fs");
      const ca = fs.readFileSync(process.argv[1]), images = JSON.parse(fs.readFileSync(0, "utf8")), agent = new https.Agent({ keepAlive: true, maxSockets: 8 });
      Promise.all(images.map(({repository, tag, digest}) => new Promise((resolve, reject) => {
        https.request({ host: "127.0.0.1", port: Number(process.argv[2]), method: "HEAD", path: "/v2/" + repository + "/manifests/" + tag, ca, agent, headers: { accept: "application/vnd.oci.image.manifest.v1+json" } },
          (r) => (r.resume(), r.headers["docker-content-digest"] === digest) ? resolve() : reject(new Error(repository + ": " + r.statusCode + " " + r.headers["docker-content-digest"]))).on("error", reject).end();
      }))).then(() => process.exit(0), (e) => { console.error(e.message); process.exit(1); });`;
    const images = pkg.images.map(({ repository, tag, digest }) => ({ repository, tag, digest }));
    await measure(this.arena.inside([process.execPath, "-e", script, this.arena.caPath, String(port)]), {
      input: JSON.stringify(images),
      folders: [],
    });
  }
}
