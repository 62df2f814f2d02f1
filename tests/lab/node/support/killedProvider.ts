import { spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/**
 * Runs a provider process of its own (applyChild.ts), which kills itself.
 *
 * @returns the signal that it ended with, or what it said
 */
export async function killedProvider(job: object): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), "killed-"));
  const path = join(folder, "job.json");
  writeFileSync(path, JSON.stringify(job), { mode: 0o600 });
  const args = ["--require", "tsx/cjs", join(__dirname, "applyChild.ts"), path];
  const child = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "inherit"], timeout: 60_000 });
  let said = "";
  child.stdout.on("data", (chunk: Buffer) => {
    said += chunk.toString();
  });
  try {
    return await new Promise<string>((resolve) => child.on("exit", (_code, signal) => resolve(signal ?? said)));
  } finally {
    rmSync(folder, { recursive: true });
  }
}
