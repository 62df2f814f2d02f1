import { pathToFileURL } from "node:url";

/** How to start a TypeScript file of the lab as a program of its own. */
export function runTypeScript(): string[] {
  return [process.execPath, "--import", pathToFileURL(require.resolve("tsx")).href];
}
