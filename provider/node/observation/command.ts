import { builtIn } from "../../containerd/layout/builtIn";
import type { NodeLayout } from "../../containerd/layout/layout";
import type { LayoutChoice } from "../../containerd/layout/layouts";
import { candidates } from "../../containerd/layout/layouts";
import { encodeValue } from "../session/session";

export function observeCommand(hostsDirs: string[], layout: LayoutChoice = "auto"): string {
  const words = candidates(layout).map(encodeLayout);
  return `observe ${words.join(" ")} -- ${directoriesToRead(hostsDirs).map(encodeValue).join(" ")}`;
}

/** One candidate as `layout` of observe.sh reads it. */
function encodeLayout({ link = "", versionCommand = "", dropIns, dataDir, ...one }: NodeLayout): string {
  const { kind, units, configPath, hostsDir, binary, paths } = one;
  const { folder = "", pidPath = "" } = dropIns ?? {};
  const data = [dataDir?.usual, dataDir?.flags.join(" "), dataDir?.variable, dataDir?.configPath];
  const words = [
    ...[kind, units.join(" "), configPath, hostsDir, binary, paths, link, versionCommand, folder, pidPath],
    ...data.map((word = "") => word),
  ];
  return encodeValue(words.join("\n"));
}

export function directoriesToRead(hostsDirs: readonly string[]): string[] {
  return [...new Set([...hostsDirs, ...builtIn.hostsDirs])];
}
