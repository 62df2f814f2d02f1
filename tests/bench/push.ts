/**
 * `npm run bench:push`: our push beside "unpack, then skopeo" and "unpack, then crane", on one package and one kind of
 * fresh, real registry. `-- --json FILE` writes the rows; `--runs N` repeats each race (default 1) and takes the
 * fastest of each tool; `--many` runs nothing but 5,000 small images, for the memory that they take.
 */
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";

import { registryProgram } from "../lab/lab/install";
import { cacheDir as labCacheDir } from "../lab/lab/instance";
import { Arena, onPath } from "./push/arena";
import type { BenchPackage } from "./push/benchPackage";
import { benchPackages } from "./push/benchPackage";
import { findCrane } from "./push/crane";
import { manyImages } from "./push/manyImages";
import type { Cost } from "./push/measure";
import { measure } from "./push/measure";

type Work = "cold" | "changed" | "nothing";
type Tool = "ours" | "crane" | "skopeo";

interface Row {
  work: Work;
  tool: Tool;
  seconds: number;
  peakMemoryBytes: number;
  extraDiskBytes: number;
  bytesSent: number;
  cpuSeconds: number;
  /** Of `seconds`, what unpacking took; peers only. */
  unpackSeconds?: number;
}

const log = (line: string): void => console.log(line);

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      json: { type: "string" },
      runs: { type: "string", default: "1" },
      many: { type: "boolean", default: false },
    },
  });
  if (process.platform !== "linux" || process.getuid?.() !== 0) {
    throw new Error("the benchmark needs Linux and root: it runs a registry in a network of its own");
  }
  const missing = ["xz", "tar", "openssl", "unshare", "nsenter", "ip"].filter(
    (program) => onPath(program) === undefined,
  );
  if (missing.length > 0) {
    throw new Error(
      `the benchmark needs ${missing.join(", ")}: install xz-utils, tar, openssl, util-linux and iproute2`,
    );
  }
  if (values.many) {
    await many();
    return;
  }
  const packages = await benchPackages(log);
  const crane = await findCrane(log);
  const skopeo = onPath("skopeo");
  if (skopeo === undefined) {
    log("skopeo is not installed (apt-get install skopeo): left out");
  }
  const tools: Tool[] = [
    "ours",
    ...(crane === undefined ? [] : ["crane" as const]),
    ...(skopeo === undefined ? [] : ["skopeo" as const]),
  ];
  const arena = new Arena(await registryProgram(labCacheDir(), log));
  await arena.open();
  const all: Row[] = [];
  let hundred: Row | undefined;
  try {
    const race = new Race(arena, { crane: crane ?? "", skopeo: skopeo ?? "" });
    for (let run = 1; run <= Number(values.runs); run++) {
      for (const tool of tools) {
        await arena.startFreshRegistry();
        race.forget();
        for (const [work, pkg] of [
          ["cold", packages.cold],
          ["changed", packages.changed],
          ["nothing", packages.changed],
        ] as const) {
          const row = await race.run(work, tool, pkg);
          log(
            `run ${run}: ${work} ${tool}: ${row.seconds.toFixed(2)} s (${row.cpuSeconds.toFixed(1)} s CPU${row.unpackSeconds === undefined ? "" : `, unpacking ${row.unpackSeconds.toFixed(2)} s`})`,
          );
          all.push(row);
        }
      }
      await arena.startFreshRegistry();
      race.forget();
      await race.run("cold", "ours", packages.hundred);
      const nothing = await race.run("nothing", "ours", packages.hundred);
      hundred = hundred === undefined || nothing.seconds < hundred.seconds ? nothing : hundred;
    }
  } finally {
    await arena.close();
  }
  const rows = fastest(all);
  report(rows, tools, packages.cold, hundred as Row);
  if (values.json !== undefined) {
    writeFileSync(values.json, `${JSON.stringify({ rows, nothingToDoFor100Images: hundred }, undefined, 2)}\n`);
  }
}

async function many(): Promise<void> {
  const pkg = manyImages(log);
  const arena = new Arena(await registryProgram(labCacheDir(), log));
  await arena.open();
  try {
    await arena.startFreshRegistry();
    const race = new Race(arena, { crane: "", skopeo: "" });
    race.forget();
    for (const work of ["cold", "nothing"] as const) {
      const row = await race.run(work, "ours", pkg);
      goal(
        `memory for ${pkg.images.length} images (${work}) below 400 MB`,
        row.peakMemoryBytes < 400e6,
        `${mb(row.peakMemoryBytes)} MB in ${row.seconds.toFixed(0)} s`,
      );
    }
  } finally {
    await arena.close();
  }
}

function goal(what: string, reached: boolean, value: string): void {
  log(`${reached ? "reached    " : "NOT reached"}  ${what}: ${value}`);
}

function mb(bytes: number): string {
  return (bytes / 1e6).toFixed(0);
}

/** One tool after the other, each on a registry that only it has touched. */
class Race {
  constructor(
    private readonly arena: Arena,
    private readonly programs: { crane: string; skopeo: string },
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

  async run(work: Work, tool: Tool, pkg: BenchPackage): Promise<Row> {
    const before = this.arena.bytes();
    const cost = tool === "ours" ? await this.ours(pkg) : await this.peer(tool, pkg);
    const bytesSent = this.arena.bytes() - before;
    await this.check(pkg);
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
      ...(unpacked === undefined ? {} : { unpackSeconds: Number(unpacked) / 1000 }),
    };
  }

  private ours(pkg: BenchPackage): Promise<Cost> {
    const folders = [join(this.state, "cache"), join(this.state, "spool")];
    const input = JSON.stringify({
      connection: { endpoint: this.arena.hostPort, caCertPath: this.arena.caPath },
      source: pkg.path,
      cacheDir: folders[0],
      spoolDir: folders[1],
    });
    return measure(this.arena.inside([process.execPath, join(__dirname, "push", "ours.mjs")]), { input, folders });
  }

  private async peer(tool: "crane" | "skopeo", pkg: BenchPackage): Promise<Cost> {
    const folder = join(this.state, "unpacked");
    rmSync(folder, { recursive: true, force: true });
    const { hostPort, caPath } = this.arena;
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
  private async check(pkg: BenchPackage): Promise<void> {
    const script = `
      const https = require("https"), fs = require("fs");
      const ca = fs.readFileSync(process.argv[1]), images = JSON.parse(fs.readFileSync(0, "utf8")), agent = new https.Agent({ keepAlive: true, maxSockets: 8 });
      Promise.all(images.map(({repository, tag, digest}) => new Promise((resolve, reject) => {
        https.request({ host: "127.0.0.1", port: 5000, method: "HEAD", path: "/v2/" + repository + "/manifests/" + tag, ca, agent, headers: { accept: "application/vnd.oci.image.manifest.v1+json" } },
          (r) => r.headers["docker-content-digest"] === digest ? resolve() : reject(new Error(repository + ": " + r.statusCode + " " + r.headers["docker-content-digest"]))).on("error", reject).end();
      }))).then(() => process.exit(0), (e) => { console.error(e.message); process.exit(1); });`;
    const images = pkg.images.map(({ repository, tag, digest }) => ({ repository, tag, digest }));
    await measure(this.arena.inside([process.execPath, "-e", script, this.arena.caPath]), {
      input: JSON.stringify(images),
      folders: [],
    });
  }
}

function fastest(rows: Row[]): Row[] {
  const best = new Map<string, Row>();
  for (const row of rows) {
    const key = `${row.work} ${row.tool}`;
    const other = best.get(key);
    if (other === undefined || row.seconds < other.seconds) {
      best.set(key, row);
    }
  }
  return [...best.values()];
}

function report(rows: Row[], tools: Tool[], pkg: BenchPackage, hundred: Row): void {
  const row = (work: Work, tool: Tool): Row => rows.find((r) => r.work === work && r.tool === tool) as Row;
  log(
    `\n${pkg.images.length} images that share a base, ${mb(pkg.bytes)} MB, .tar.xz of many blocks; real registry with TLS on loopback, fresh for each tool`,
  );
  const table: string[][] = [["work", "tool", "seconds", "tool / ours", "CPU s", "memory MB", "disk MB", "sent MB"]];
  for (const work of ["cold", "changed", "nothing"] as const) {
    for (const tool of tools) {
      const r = row(work, tool);
      table.push([
        work,
        tool === "ours" ? "ours" : `unpack + ${tool}`,
        r.seconds.toFixed(2),
        `${(r.seconds / row(work, "ours").seconds).toFixed(2)}x`,
        r.cpuSeconds.toFixed(1),
        mb(r.peakMemoryBytes),
        mb(r.extraDiskBytes),
        mb(r.bytesSent),
      ]);
    }
  }
  const widths = (table[0] as string[]).map((_, column) =>
    Math.max(...table.map((cells) => (cells[column] as string).length)),
  );
  for (const cells of table) {
    log(
      cells
        .map((cell, column) =>
          column < 2 ? cell.padEnd(widths[column] as number) : cell.padStart(widths[column] as number),
        )
        .join("  "),
    );
  }
  const ours = row("cold", "ours");
  log("");
  for (const [tool, factor] of [
    ["crane", 1.3],
    ["skopeo", 1.8],
  ] as const) {
    if (tools.includes(tool)) {
      const ratio = row("cold", tool).seconds / ours.seconds;
      goal(`cold at least ${factor} times as fast as unpack + ${tool}`, ratio >= factor, `${ratio.toFixed(2)}x`);
    }
  }
  const memory = Math.max(...rows.filter((r) => r.tool === "ours").map((r) => r.peakMemoryBytes));
  goal("memory below 400 MB", memory < 400e6, `${mb(memory)} MB`);
  goal(
    "no extra disk (but for the package's index, below 1 MB)",
    ours.extraDiskBytes < 1e6,
    `${(ours.extraDiskBytes / 1e3).toFixed(0)} kB`,
  );
  goal(
    "nothing to do for 100 images below 1 s, process start included",
    hundred.seconds < 1,
    `${hundred.seconds.toFixed(2)} s`,
  );
}

main().catch((error: unknown) => {
  console.error((error as Error).message);
  process.exitCode = 1;
});
