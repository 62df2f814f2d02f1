// First step of `npm start`, `npm test` and `npm run lab`: from a fresh clone and whatever Node the machine has, to
// installed dependencies, a Node new enough, and a built package. Plain JavaScript without dependencies, because
// nothing is there yet.
import { spawn, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, lstatSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = join(dirname(fileURLToPath(import.meta.url)), "..", "..");
const modules = join(root, "node_modules");
const manifest = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));

const targets = {
  start: ["tests/demo/story.ts"],
  test: ["tests/run/test.ts"],
  lab: ["tests/lab/cli.ts"],
  "bench:push": ["tests/bench/push.ts"],
  "bench:nodes": ["tests/bench/nodes.ts"],
  "bench:scale": ["tests/bench/scale.ts"],
  tsx: [],
};

const [target, ...rest] = process.argv.slice(2);
if (!Object.hasOwn(targets, target)) {
  console.error(`usage: bootstrap.mjs ${Object.keys(targets).join("|")} [arguments]`);
  process.exit(2);
}

function step(what, command, args, options = {}) {
  console.log(`set-up: ${what}`);
  const done = spawnSync(command, args, {
    cwd: root,
    encoding: "utf8",
    shell: process.platform === "win32",
    ...options,
  });
  if (done.status !== 0) {
    console.error(`${done.stdout ?? ""}${done.stderr ?? ""}`.trim());
    console.error(
      `set-up failed: ${what}: ${command} ${args.join(" ")} ended with ${done.error?.message ?? done.signal ?? done.status}.`,
    );
    process.exit(1);
  }
}

function newEnough(version, wanted) {
  const parts = (text) =>
    text
      .replace(/^[^0-9]*/, "")
      .split(".")
      .map(Number);
  const [a, b] = [parts(version), parts(wanted)];
  for (let n = 0; n < 3; n++) {
    if (a[n] !== b[n]) {
      return a[n] > b[n];
    }
  }
  return true;
}

// What was installed is remembered by what it was installed from: a half-done install, or one of an older lock file, is
// done again.
const stamp = join(modules, ".set-up");
const wanted = createHash("sha256")
  .update(readFileSync(join(root, "package-lock.json")))
  .digest("hex");
if (!existsSync(stamp) || readFileSync(stamp, "utf8") !== wanted) {
  rmSync(stamp, { force: true });
  // No install scripts: none of the dependencies needs its own to work, and a native build would be for the wrong Node.
  step("installing dependencies (npm ci)", "npm", [
    "ci",
    "--ignore-scripts",
    "--no-audit",
    "--no-fund",
    "--loglevel=error",
  ]);
  writeFileSync(stamp, wanted);
}

let node = process.execPath;
// npm puts node_modules/.bin in front of PATH, so this may run on the Node that an earlier set-up brought, and `npm ci`
// has just deleted.
if (node.startsWith(modules) || !newEnough(process.version, manifest.engines.node)) {
  node = join(modules, "node", "bin", process.platform === "win32" ? "node.exe" : "node");
  if (!existsSync(node)) {
    step(`bringing a Node of ${manifest.engines.node} (npm package "node"), the machine's is older`, "npm", [
      "rebuild",
      "node",
      "--loglevel=error",
    ]);
    // npm passes over optional packages whose `engines` the Node it runs on does not meet: once more, on the new one.
    const npm = process.env.npm_execpath;
    if (npm !== undefined) {
      step(
        "installing what the older Node passed over",
        node,
        [npm, "install", "--ignore-scripts", "--no-save", "--no-audit", "--no-fund", "--loglevel=error"],
        { shell: false },
      );
    }
  }
}

// The examples import the package by its name, as a user's program does.
const self = join(modules, manifest.name);
if (!lstatSync(self, { throwIfNoEntry: false })?.isSymbolicLink()) {
  rmSync(self, { recursive: true, force: true });
  symlinkSync(root, self, "junction");
}

const environment = {
  ...process.env,
  PATH: `${dirname(node)}${process.platform === "win32" ? ";" : ":"}${process.env.PATH}`,
};
mkdirSync(join(root, "build"), { recursive: true });
// A file that is no longer in the sources must not go on living in what is published.
rmSync(join(root, "dist"), { recursive: true, force: true });
step("building the package (tsc)", node, [join(modules, "typescript", "bin", "tsc"), "-p", "tsconfig.build.json"]);

const child = spawn(node, ["--import", "tsx", ...targets[target].map((file) => join(root, file)), ...rest], {
  cwd: root,
  env: environment,
  stdio: "inherit",
});
// Ctrl-C reaches the child by itself; this process only has to wait for its clean-up.
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) {
  process.on(signal, () => {
    if (signal !== "SIGINT") {
      child.kill(signal);
    }
  });
}
child.on("error", (error) => {
  console.error(error.message);
  process.exit(1);
});
child.on("exit", (code, signal) => process.exit(code ?? (signal === "SIGINT" ? 130 : 1)));
