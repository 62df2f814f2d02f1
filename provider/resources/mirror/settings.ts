import { usualLayout } from "../../containerd/layout/layouts";
import type { Resolved } from "../arguments/resolved";
import { shapeProblems } from "../arguments/shape";
import type { DeclaredMirror } from "./declared";
import { shapes } from "./shapes";
import type { MirrorWire } from "./wire";

/** containerd's hosts directory on the nodes. */
export function resolveHostsDir(given: string | undefined): Resolved<string> & { value: string } {
  return {
    value: given ?? usualLayout.hostsDir,
    problems: shapeProblems({ hostsDir: given }, shapes.settings, ""),
  };
}

/** Whether each endpoint is asked before any node is touched. */
export function resolveCheckEndpoints(given: boolean | undefined): Resolved<boolean> {
  return { value: given ?? true, problems: shapeProblems({ checkEndpoints: given }, shapes.settings, "") };
}

/** The endpoints, and those whose certificate is not checked. */
export function endpointsOf(
  mirrors: readonly Pick<DeclaredMirror, "endpoint" | "insecure">[],
): Pick<MirrorWire, "mirrors" | "insecure"> {
  const insecure = mirrors.filter((mirror) => mirror.insecure === true).map((mirror) => mirror.endpoint);
  return { mirrors: mirrors.map((mirror) => mirror.endpoint), ...(insecure.length > 0 ? { insecure } : {}) };
}
