/**
 * The lab by hand: `npm run lab -- up | status | down | clean`.
 *
 *   up      boots nodes and registries, prints how to reach them and leaves them running
 *   status  prints the same for a lab that runs
 *   down    ends it and deletes what it wrote
 *   clean   deletes the cached node trees and packages
 *
 * Options: --nodes N (a number, or releases: bookworm,trixie,forky), --instance I, --json.
 */
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";

import { lockInstance } from "./lab/claim";
import { cacheDir, type Instance, instanceFromEnvironment, instanceOf } from "./lab/instance";
import { backgroundLab, destroyInstanceSync, readState } from "./lab/instanceState";
import { defaultNodes, Lab, type NodeSpec } from "./lab/lab";
import { LabError } from "./lab/labError";
import { listMounts, mountsBelow, removeFolderSync } from "./lab/mounts";
import { releaseFacts, releases } from "./lab/release";
import { describeForPeople } from "./lab/report";

const usage =
  "usage: npm run lab -- up [--nodes N | --nodes bookworm,trixie,...] | status | down | clean   [--instance I] [--json]";

async function main(args: readonly string[]): Promise<number> {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: {
      nodes: { type: "string" },
      instance: { type: "string" },
      json: { type: "boolean", default: false },
      leftovers: { type: "boolean", default: false },
    },
  });
  const command = positionals[0];
  const number = values.instance === undefined ? (instanceFromEnvironment() ?? 0) : Number(values.instance);
  const instance = instanceOf(number);
  if (positionals.length !== 1) {
    console.error(usage);
    return 2;
  }
  switch (command) {
    case "up":
      return up(instance, nodeSpecs(values.nodes), values.json);
    case "status":
      return status(instance, values.json);
    case "down":
      return down(instance, values.leftovers);
    case "clean":
      return clean();
    default:
      console.error(usage);
      return 2;
  }
}

function nodeSpecs(text: string | undefined): readonly NodeSpec[] {
  if (text === undefined) return defaultNodes;
  if (/^\d+$/.test(text)) {
    return Array.from({ length: Number(text) }, (_, index) => ({
      release: releases[index % releases.length] ?? "bookworm",
    }));
  }
  return text.split(",").map((name) => {
    const release = releases.find((candidate) => candidate === name);
    if (!release)
      throw new LabError("LAB_RELEASE", `--nodes takes a number or releases (${releases.join(", ")}), not "${name}"`);
    return { release: releaseFacts(release).release };
  });
}

async function up(instance: Instance, nodes: readonly NodeSpec[], json: boolean): Promise<number> {
  const running = Lab.attach(instance.number);
  if (running) console.error(`lab: instance ${instance.number} is running already`);
  const lab = running ?? (await Lab.up({ instance: instance.number, nodes, background: true }));
  console.log(json ? JSON.stringify(lab.describe(), undefined, 2) : describeForPeople(lab.describe()));
  return 0;
}

function status(instance: Instance, json: boolean): number {
  const lab = backgroundLab(instance)?.lab;
  if (lab) {
    console.log(json ? JSON.stringify(lab, undefined, 2) : describeForPeople(lab));
    return 0;
  }
  const state = readState(instance);
  console.log(
    json
      ? "null"
      : state
        ? `lab ${instance.number} is in use by process ${state.owner}, or was left behind by it`
        : `no lab ${instance.number} is running; "npm run lab -- up" starts one`,
  );
  return 1;
}

/** Entry by entry: a lab that runs on the cache is an error before anything of it is deleted. */
function clean(): number {
  const cache = cacheDir();
  const inUse = mountsBelow(cache).concat(
    listMounts().filter((mount) => mount.superOptions.includes(`lowerdir=${cache}/`)),
  );
  if (inUse.length > 0)
    throw new LabError(
      "LAB_BUSY",
      `a lab is running on ${cache} (${inUse[0]?.target}): end it first with "npm run lab -- down"`,
    );
  for (const entry of existsSync(cache) ? readdirSync(cache) : []) removeFolderSync(join(cache, entry));
  return 0;
}

async function down(instance: Instance, leftovers: boolean): Promise<number> {
  // The keeper of a dead run's lock comes here with the lock in its hands.
  if (leftovers) {
    destroyInstanceSync(instance);
    return 0;
  }
  const lock = await lockInstance(instance);
  if (!lock)
    throw new LabError(
      "LAB_BUSY",
      `lab ${instance.number} belongs to process ${readState(instance)?.owner ?? "unknown"}, which is running: it ends with that`,
    );
  try {
    destroyInstanceSync(instance);
  } finally {
    await lock.release();
  }
  return 0;
}

main(process.argv.slice(2)).then(
  (code) => {
    process.exitCode = code;
  },
  (error: unknown) => {
    console.error(error instanceof LabError ? `lab: ${error.message}` : error);
    process.exitCode = 1;
  },
);
