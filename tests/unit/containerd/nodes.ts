import { readFileSync } from "node:fs";
import { join } from "node:path";

import type { ContainerdPlan } from "../../../provider/containerd/containerdPlan";
import type {
  AuthKinds,
  ConfigStyle,
  Credentials,
  DesiredHost,
  DesiredRegistry,
} from "../../../provider/containerd/desired";
import type { ObservedNode } from "../../../provider/containerd/observed";
import { renderFiles } from "../../../provider/containerd/render/renderFiles";
import { casOf, dir } from "./renderCases";

export const configPath = "/etc/containerd/config.toml";

export function sample(name: string): string {
  return readFileSync(join(__dirname, "samples", `${name}.toml`), "utf8");
}

/** A node with these files; a text alone has mode 0644. */
export function node(
  version: string,
  files: Record<string, string | { text?: string; mode: number; linkTarget?: string }>,
  more: Partial<ObservedNode> = {},
): ObservedNode {
  return {
    versionText: `containerd github.com/containerd/containerd ${version} 0123456789`,
    configPath,
    files: Object.fromEntries(
      Object.entries(files).map(([path, file]) => [
        path,
        typeof file === "string" ? { text: file, mode: 0o644 } : file,
      ]),
    ),
    owned: {},
    ...more,
  };
}

export function desired(
  hosts: DesiredHost[],
  more: { credentials?: Credentials; auth?: AuthKinds; configStyle?: ConfigStyle | "auto"; hostsDir?: string } = {},
): DesiredRegistry {
  const hostsDir = more.hostsDir ?? dir;
  return {
    hosts,
    files: renderFiles(hosts, casOf(hosts), hostsDir),
    credentials: more.credentials ?? {},
    auth: more.auth ?? {},
    configStyle: more.configStyle ?? "auto",
    hostsDir,
  };
}

/** The node after the plan, as its observer would then find it. */
export function after(observed: ObservedNode, plan: ContainerdPlan): ObservedNode {
  const files = { ...observed.files };
  for (const path of plan.remove) {
    delete files[path];
  }
  for (const file of plan.write) {
    files[file.path] = { text: file.text, mode: file.mode };
  }
  return { ...observed, files, owned: Object.fromEntries(plan.owns.map((path) => [path, "0".repeat(64)])) };
}

export function written(plan: ContainerdPlan, path: string): string {
  const file = plan.write.find((one) => one.path === path);
  if (file === undefined) {
    throw new Error(`${path} is not written; written are ${plan.write.map((one) => one.path).join(", ")}`);
  }
  return file.text;
}
