import { NodeError, type NodeErrorCode, quoteRemote } from "../nodeError";

/** What a failure on the node means for a person, and what to do about it. */
export function explainRemote(node: string, code: string, text: string): NodeError {
  const said = quoteRemote(text);
  const error = (known: NodeErrorCode, message: string) => new NodeError(known, node, message);
  switch (code) {
    case "NODE_DISK_FULL":
      return error(
        code,
        `no space left: ${said}. Nothing was changed; free some space (df -h /etc /var/lib) and run again`,
      );
    case "NODE_READ_ONLY":
      return error(
        code,
        `a file system is read-only: ${said}. Nothing was changed; remount it writable (mount -o remount,rw), or look for why it went read-only (dmesg)`,
      );
    case "NODE_FILES":
      return error(code, said);
    case "NODE_SYMLINK":
      return error(
        code,
        `${said} is a symbolic link, and this provider does not write through links. Replace it by what it stands for, or name the real directory as hostsDir`,
      );
    case "NODE_CHANGED":
      return error(
        code,
        `${said} was changed between being read and being replaced. Nothing was changed by us; run again to plan on what is there now`,
      );
    case "NODE_CONFIG_REFUSED":
      return error(code, `containerd does not accept the new configuration: ${said}. Nothing was changed`);
    case "NODE_RESTART":
      return error(code, `containerd did not start again: ${said}`);
    case "NODE_UNDO":
      return error(
        code,
        `putting back what was there failed: ${said}. The journal stays in /var/lib/registry-mirror, and the next run goes on with it`,
      );
    case "NODE_STATE":
      return error(code, `${said}; this provider keeps its journal and the originals there. Move it away`);
    case "NODE_TOOL":
      return error(code, `the program ${said} is missing; install it (flock: util-linux)`);
    default:
      return error("NODE_PROTOCOL", `${code}: ${said}`);
  }
}
