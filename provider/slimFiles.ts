import type { ObservedNode } from "./containerd/observed";
import { isUnknown } from "./dynamic/plainValue";
import { sha256 } from "./oci/digest";

/**
 * The files of a node as the outputs keep them: certificates, which are long and say nothing to a reader, by their digest. The inputs hold
 * them whole, and so does the node.
 */
export function slimFiles(files: Record<string, string>): Record<string, string> {
  if (isUnknown(files)) {
    return files;
  }
  return Object.fromEntries(Object.entries(files).map(([path, text]) => [path, text.includes("-----BEGIN CERTIFICATE-----") ? sha256(text) : text]));
}

/** The way back, with the node's own copies. `lost` are certificates that the node no longer has as they were. */
export function fullFiles(slim: Record<string, string>, observed: ObservedNode): { files: Record<string, string>; lost: string[] } {
  const files: Record<string, string> = {};
  const lost: string[] = [];
  for (const [path, text] of Object.entries(slim)) {
    if (!text.startsWith("sha256:")) {
      files[path] = text;
      continue;
    }
    const found = observed.files[path]?.text;
    if (found !== undefined && sha256(found) === text) {
      files[path] = found;
    } else {
      lost.push(path);
    }
  }
  return { files, lost };
}
