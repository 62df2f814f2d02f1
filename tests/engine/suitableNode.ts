import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";

/** The oldest Node that the SDK and this package work with. */
const oldest = 22;

/**
 * The Node that runs programs and providers: this process's own, or, where that is too old, the one that the npm
 * package `node` brings.
 *
 * @throws when there is neither.
 */
export function suitableNode(): string {
  if (Number(process.versions.node.split(".")[0]) >= oldest) return process.execPath;
  try {
    const folder = dirname(createRequire(__filename).resolve("node/package.json"));
    const binary = join(folder, "bin", process.platform === "win32" ? "node.exe" : "node");
    if (existsSync(binary)) return binary;
  } catch {
    // Not installed: said below.
  }
  throw new Error(
    `Node ${process.versions.node} is too old for Pulumi programs: ${oldest} or newer is needed, or the npm package "node"`,
  );
}
