import { existsSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { parse } from "yaml";

/** What Pulumi.yaml says about a program. */
export interface Project {
  name: string;
  /** The folder of Pulumi.yaml. */
  root: string;
  /** Where the program lies and runs: `main` when it names a folder, else the root. */
  programDir: string;
  /** What is run inside it: a file, or "." */
  entryPoint: string;
  /** runtime.options.typescript, default true. */
  typescript: boolean;
  /** runtime.options.nodeargs */
  nodeArgs: string[];
  /** runtime.options.tsconfig */
  tsconfig: string | undefined;
  /** Declared configuration keys with a default, as `PROJECT:KEY`. */
  configuration: DeclaredKey[];
}

/** A key of `config:` in Pulumi.yaml. */
export interface DeclaredKey {
  key: string;
  /** string, integer, boolean, array or object; undefined when the project only sets a value. */
  type: string | undefined;
  default: unknown;
  secret: boolean;
}

interface ProjectFile {
  name?: unknown;
  runtime?: string | { name?: string; options?: Record<string, unknown> };
  main?: string;
  config?: Record<string, unknown>;
}

/** @throws when the folder holds no Pulumi project that runs on Node. */
export function readProject(folder: string): Project {
  const root = resolve(folder);
  const path = ["Pulumi.yaml", "Pulumi.yml"].map((name) => join(root, name)).find(existsSync);
  if (path === undefined) throw new Error(`no Pulumi.yaml project file found in ${root}`);
  const file = (parse(readFileSync(path, "utf8")) ?? {}) as ProjectFile;
  if (typeof file.name !== "string" || file.name === "") throw new Error(`${path}: project is missing a 'name' attribute`);
  const runtime = typeof file.runtime === "string" ? { name: file.runtime } : file.runtime;
  if (runtime?.name !== "nodejs") {
    throw new Error(`${path}: runtime ${JSON.stringify(runtime?.name)}: the test engine runs "nodejs" programs only`);
  }
  const options = runtime.options ?? {};
  const main = file.main === undefined ? root : resolve(root, file.main);
  const isFile = /\.[cm]?[jt]s$/.test(main);
  return {
    name: file.name,
    root,
    programDir: isFile ? resolve(main, "..") : main,
    entryPoint: isFile ? main : ".",
    typescript: options["typescript"] !== false && options["typescript"] !== "false",
    nodeArgs: String(options["nodeargs"] ?? "").split(/\s+/).filter((arg) => arg !== ""),
    tsconfig: typeof options["tsconfig"] === "string" ? options["tsconfig"] : undefined,
    configuration: Object.entries(file.config ?? {}).map(([key, value]) => declaredKey(file.name as string, key, value)),
  };
}

function declaredKey(project: string, key: string, value: unknown): DeclaredKey {
  const name = key.includes(":") ? key : `${project}:${key}`;
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    return { key: name, type: undefined, default: value, secret: false };
  }
  const { type, default: preset, value: fixed, secret } = value as { type?: string; default?: unknown; value?: unknown; secret?: boolean };
  return { key: name, type, default: fixed ?? preset, secret: secret === true };
}
