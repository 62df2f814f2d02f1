import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { sharedLabOrSkip } from "./lab";
import { groupIsAlive, groupRoot } from "./lab/controlGroup";
import { execute, must } from "./lab/execute";
import { type Instance, instanceOf } from "./lab/instance";
import { mountsBelow } from "./lab/mounts";
import { runTypeScript } from "./lab/runTypeScript";
import { sleep } from "./lab/sleep";

/** An instance nobody takes by itself. */
const instance = instanceOf(97);
const folder = mkdtempSync(join(tmpdir(), "lab-lifecycle-"));

// A program that has a lab of one node, and says how far it is.
const program = `
import { Lab } from ${JSON.stringify(join(__dirname, "lab"))};
const log = (line: string): void => console.log(line);
Lab.up({ instance: ${instance.number}, nodes: [{ release: "bookworm" }], log }).then((lab) => {
  console.log("READY " + lab.runDir);
  if (process.argv[2] === "throw") setTimeout(() => { throw new Error("on purpose"); }, 10);
  else if (process.argv[2] !== "return") setInterval(() => undefined, 1000);
});
console.log("STARTED");
`;

function start(mode: string): {
  child: ChildProcess;
  said: () => string;
  saidWord: (word: string) => Promise<void>;
  ended: Promise<string>;
} {
  const file = join(folder, "program.ts");
  writeFileSync(file, program);
  const [node = "", ...args] = runTypeScript();
  const child = spawn(node, [...args, file, mode], {
    stdio: ["ignore", "pipe", "pipe"],
    env: { ...process.env, REGISTRY_MIRROR_LAB_INSTANCE: "" },
  });
  let text = "";
  for (const stream of [child.stdout, child.stderr]) stream?.on("data", (chunk: Buffer) => (text += chunk.toString()));
  const ended = new Promise<string>((resolve) =>
    child.once("exit", (code, signal) => resolve(signal ?? `code ${code}`)),
  );
  const saidWord = async (word: string): Promise<void> => {
    while (!text.includes(word)) {
      if (child.exitCode !== null || child.signalCode !== null) throw new Error(`ended before "${word}":\n${text}`);
      await sleep(10);
    }
  };
  return { child, said: () => text, saidWord, ended };
}

/** What a lab must not leave behind. */
function remains(of: Instance, runDir: string): string[] {
  const found: string[] = [];
  if (groupIsAlive(of.cgroup)) found.push("processes");
  if (existsSync(join(groupRoot(), of.cgroup))) found.push("its cgroup");
  if (mountsBelow(runDir).length > 0) found.push("mounts");
  if (existsSync(runDir)) found.push("its folder");
  if (existsSync(of.stateFile)) found.push("its note");
  return found;
}

async function nothingRemains(runDir: string): Promise<void> {
  const deadline = Date.now() + 120_000;
  let found = remains(instance, runDir);
  while (found.length > 0 && Date.now() < deadline) {
    await sleep(100);
    found = remains(instance, runDir);
  }
  assert.deepEqual(found, []);
}

describe("lab: whatever ends the program, nothing of its lab stays", function () {
  let runDir = "";
  before(async function () {
    // Also builds the tree, so that the programs below are ready within seconds.
    runDir = join((await sharedLabOrSkip(this)).runDir, "..", String(instance.number));
  });
  after(() => rmSync(folder, { recursive: true, force: true }));

  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP", "SIGKILL"] as const) {
    it(`${signal} while the lab is up`, async () => {
      const run = start("stay");
      await run.saidWord("READY");
      assert.deepEqual(remains(instance, runDir), ["processes", "its cgroup", "mounts", "its folder", "its note"]);
      run.child.kill(signal);
      assert.equal(await run.ended, signal);
      // All but SIGKILL are cleaned up before the process ends; after SIGKILL the keeper of its lock does it.
      if (signal !== "SIGKILL") assert.deepEqual(remains(instance, runDir), []);
      await nothingRemains(runDir);
    });
  }

  for (const [signal, moment] of [
    ["SIGINT", 150],
    ["SIGINT", 500],
    ["SIGKILL", 300],
    ["SIGKILL", 600],
  ] as const) {
    it(`${signal} ${moment} ms into the start`, async () => {
      const run = start("stay");
      await run.saidWord("STARTED");
      await sleep(moment);
      run.child.kill(signal);
      await run.ended;
      await nothingRemains(runDir);
    });
  }

  it("an uncaught error, and a program that just ends", async () => {
    const thrown = start("throw");
    assert.equal(await thrown.ended, "code 1");
    assert.match(thrown.said(), /READY[\s\S]*on purpose/);
    assert.deepEqual(remains(instance, runDir), []);
    const returned = start("return");
    assert.equal(await returned.ended, "code 0");
    assert.match(returned.said(), /READY/);
    assert.deepEqual(remains(instance, runDir), []);
  });

  it("leftovers that nobody cleaned up are cleaned up by the next start", async () => {
    const run = start("stay");
    await run.saidWord("READY");
    // The keeper is killed first, as when a whole session is killed.
    const keepers = readdirSync("/proc")
      .filter((entry) => /^\d+$/.test(entry))
      .filter((pid) => {
        try {
          const line = readFileSync(`/proc/${pid}/cmdline`, "utf8");
          return line.includes("registry-mirror-lab-keeper") && line.includes(`--instance\0${instance.number}\0`);
        } catch {
          return false;
        }
      });
    assert.ok(keepers.length >= 1);
    for (const pid of keepers) process.kill(Number(pid), "SIGKILL");
    run.child.kill("SIGKILL");
    await run.ended;
    await sleep(1000);
    assert.ok(remains(instance, runDir).includes("processes"));
    const next = start("return");
    assert.equal(await next.ended, "code 0", next.said());
    assert.match(next.said(), /READY/);
    assert.deepEqual(remains(instance, runDir), []);
  });

  it("a lab in use is not taken, neither by up nor by down", async () => {
    const run = start("stay");
    await run.saidWord("READY");
    const second = start("return");
    assert.equal(await second.ended, "code 1");
    assert.match(second.said(), new RegExp(`instance ${instance.number} is in use: process ${run.child.pid} uses it`));
    const [node = "", ...args] = runTypeScript();
    const down = await execute(node, [
      ...args,
      join(__dirname, "cli.ts"),
      "down",
      "--instance",
      String(instance.number),
    ]);
    assert.equal(down.code, 1);
    assert.match(down.stderr, new RegExp(`belongs to process ${run.child.pid}`));
    assert.ok(groupIsAlive(instance.cgroup));
    run.child.kill("SIGTERM");
    await run.ended;
    await nothingRemains(runDir);
  });

  it("npm run lab: up stays, up again shows the same, status prints it, down ends it", async () => {
    const [node = "", ...args] = runTypeScript();
    const cli = (...words: string[]): ReturnType<typeof execute> =>
      execute(node, [...args, join(__dirname, "cli.ts"), ...words, "--instance", String(instance.number)]);
    assert.equal((await cli("status")).code, 1);
    const up = await cli("up", "--nodes", "trixie,bookworm", "--json");
    assert.equal(up.code, 0, up.stderr);
    const lab = JSON.parse(up.stdout) as { nodes: { name: string; address: string; hostKey: string }[] };
    assert.deepEqual(
      lab.nodes.map((entry) => entry.name),
      ["trixie", "bookworm"],
    );
    assert.deepEqual(JSON.parse((await cli("up", "--json")).stdout), lab);
    assert.deepEqual(JSON.parse((await cli("status", "--json")).stdout), lab);
    const text = (await cli("status")).stdout;
    for (const entry of lab.nodes) assert.ok(text.includes(entry.address) && text.includes(entry.hostKey), text);
    // The line it offers for a first try works as it stands.
    const offered = /^\s+try\s+(.*)$/m.exec(text)?.[1] ?? "";
    assert.match((await must("sh", ["-c", offered])).stdout, /Server:\s+Version:\s+1\.7/);
    assert.equal((await cli("down")).code, 0);
    assert.deepEqual(remains(instance, runDir), []);
    assert.equal((await cli("down")).code, 0, "down on nothing is fine");
  });
});

describe("lab: building a tree", function () {
  before(async function () {
    await sharedLabOrSkip(this);
  });

  it("a Debian mirror that cannot be reached is a clear error, and leaves nothing that looks like a tree", async function () {
    const cache = mkdtempSync(join(tmpdir(), "lab-cache-"));
    const [node = "", ...args] = runTypeScript();
    try {
      const up = await execute(
        node,
        [...args, join(__dirname, "cli.ts"), "up", "--instance", String(instance.number), "--nodes", "bookworm"],
        {
          env: {
            ...process.env,
            REGISTRY_MIRROR_LAB_CACHE: cache,
            REGISTRY_MIRROR_LAB_DEBIAN: "http://127.0.0.1:9/debian",
          },
          timeout: 300_000,
        },
      );
      assert.equal(up.code, 1);
      assert.match(up.stderr, /debootstrap could not build bookworm \(is the Debian mirror in reach\?/);
      assert.deepEqual(
        readdirSync(join(cache, "trees")).filter((entry) => entry.startsWith("bookworm-")),
        [],
      );
      assert.deepEqual(remains(instance, join(cache, "run", String(instance.number))), []);
    } finally {
      rmSync(cache, { recursive: true, force: true });
    }
  });
});
